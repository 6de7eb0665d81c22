// A source of a kind as the agent makes it: from a line of the config, with a log that is kept and a listener that counts.
import type { Test } from 'tap';
import { type Clock, createSystemClock } from '../../src/base/time/clock.ts';
import { loadConfigText } from '../../src/config/load.ts';
import { createReference } from '../../src/store/reference.ts';
import { type SecretAnswer, type SecretVersion, secretFields } from '../../src/store/secret-version.ts';
import { createSource, loadKinds } from '../../src/upstream/kinds.ts';
import type { SecretSource } from '../../src/upstream/secret-source.ts';
import { type LogLine, recordLogs } from './record-logs.ts';

export interface TestSource {
  readonly source: SecretSource;
  readonly logs: LogLine[];
  /** Paths that it told to have changed. */
  readonly changed: string[];
  read(path: string, parameters?: Record<string, string>): Promise<SecretAnswer>;
  /** The fields as plain values. */
  fields(path: string, parameters?: Record<string, string>): Promise<Record<string, unknown>>;
  isCurrent(path: string, answer: SecretAnswer): Promise<boolean | undefined>;
}

/** `config` is the upstream as the file would have it; started, and closed with the test. */
export async function startKindSource(
  t: Test,
  config: object,
  options: { env?: Record<string, string>; clock?: Clock } = {},
): Promise<TestSource> {
  const { env = {}, clock = createSystemClock() } = options;
  const [resolved] = loadConfigText('/x/latchkey.yaml', JSON.stringify({ upstreams: { up: config } }), {
    env,
    checks: 'none',
  }).upstreams;
  if (resolved === undefined) throw new Error('the config has no upstream');
  await loadKinds([resolved]);
  const logs = recordLogs();
  const source = createSource({ config: resolved, clock, logger: logs.logger, random: Math.random, env });
  const changed: string[] = [];
  source.listen({ changedUpstream: (path) => changed.push(path) });
  source.start();
  t.teardown(() => source.close({ revokeToken: false, signal: AbortSignal.timeout(60_000) }));
  const request = () => ({ priority: 'interactive' as const, signal: AbortSignal.timeout(60_000) });
  const reference = (path: string, parameters = {}) => createReference({ upstream: 'up', path, parameters });
  const read: TestSource['read'] = (path, parameters) => source.read(reference(path, parameters), request());
  return {
    source,
    logs: logs.lines,
    changed,
    read,
    fields: async (path, parameters) =>
      JSON.parse(JSON.stringify(secretFields(await read(path, parameters)))),
    async isCurrent(path, answer) {
      const version: SecretVersion = { ...answer, number: 1, obtainedAt: 0, expiresAt: undefined };
      return await source.isCurrent?.(reference(path), version, request());
    },
  };
}
