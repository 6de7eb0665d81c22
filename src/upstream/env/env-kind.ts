// The agent's own environment as an upstream: the keys of `kind: env`.
import * as z from 'zod/mini';
import { LatchkeyError } from '../../base/errors.ts';
import type { Named } from '../../config/item.ts';
import { doc, section, text } from '../../config/schema/fields.ts';

const envSchema = section({
  kind: doc(z.literal('env'), "Variables of the agent's own environment."),
  prefix: doc(
    z.optional(text()),
    'What names begin with, left out in paths; with it the path `/` is all of them.',
  ),
});

export type EnvUpstreamConfig = ReturnType<typeof resolveEnv>;

function resolveEnv({ name, value }: Named<z.output<typeof envSchema>>) {
  return { name, kind: 'env' as const, prefix: value.prefix ?? '' };
}

function checkVariable(path: string, { prefix }: EnvUpstreamConfig): void {
  if (path === '' && prefix === '')
    throw new LatchkeyError(
      'request_invalid',
      'expected the name of a variable, or a prefix at the upstream',
    );
  if (/[=\0]/.test(path))
    throw new LatchkeyError('request_invalid', `${path}: expected the name of a variable`);
}

export const env = {
  schema: envSchema,
  resolve: resolveEnv,
  refreshMs: 86_400_000,
  checkPath: checkVariable,
  load: async () => (await import('./env-source.ts')).createEnvSource,
};
