// The agent's own environment as an upstream: what a container or a unit was started with. It cannot change.
import { LatchkeyError } from '../../base/errors.ts';
import { documentAnswer, fieldsAnswer } from '../kind/kind-answer.ts';
import { createKindSource } from '../kind/kind-source.ts';
import type { SecretSource, SourceOptions } from '../secret-source.ts';
import type { EnvUpstreamConfig } from './env-kind.ts';

const versionId = 'start';

export function createEnvSource(options: SourceOptions<EnvUpstreamConfig>): SecretSource {
  const { env, config } = options;
  const { prefix } = config;

  function all() {
    if (prefix === '') {
      throw new LatchkeyError(
        'request_invalid',
        'the whole environment is no secret: expected the name of a variable',
        {
          remedy: 'set prefix at this upstream',
        },
      );
    }
    const own = Object.entries(env).filter(
      (pair): pair is [string, string] => pair[0].startsWith(prefix) && pair[1] !== undefined,
    );
    return fieldsAnswer(Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), value])), {
      versionId,
    });
  }

  return createKindSource(options, () => ({
    address: `$${prefix}*`,
    async read({ path }) {
      if (path === '') return all();
      const name = `${prefix}${path}`;
      const value = Object.hasOwn(env, name) ? env[name] : undefined;
      if (value !== undefined) return documentAnswer(Buffer.from(value), { versionId });
      throw new LatchkeyError('not_found', `there is no variable ${name} in the environment of the agent`, {
        remedy: 'set it in the unit or the container, and start the agent again',
      });
    },
    isCurrent: async () => true,
    close: async () => undefined,
  }));
}
