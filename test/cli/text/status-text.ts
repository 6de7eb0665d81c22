import t from 'tap';
import type { AgentStatus, SecretStatus, UpstreamStatus } from '../../../src/api/status.ts';
import { formatStatus } from '../../../src/cli/text/status-text.ts';

const now = Date.parse('2026-01-02T03:04:05Z');
const started = new Date(now - 60_000).toISOString();

function secretOf(path: string, key: string, names: readonly string[] = []): SecretStatus {
  const none = {
    version: 1,
    obtained_at: started,
    expires_at: null,
    confirmed_at: null,
    calls_a_day: null,
    age_seconds: 60,
    next: null,
    error: null,
  };
  return { ...none, names, key, upstream: 'v', path, state: 'fresh', consumers: [] };
}

function textOf(secrets: readonly SecretStatus[], upstreams: readonly UpstreamStatus[] = []): string {
  const status: AgentStatus = {
    ...{ api_version: 1, version: '1', pid: 1, started_at: started, ready: true },
    config: { sources: [], loaded_at: started, reload_error: null },
    ...{
      waiting_for: [],
      waits: [],
      degraded: [],
      troubles: [],
      files: [],
      processes: [],
      listeners: [],
      leases: [],
    },
    audit: {
      ...{ file: null, state: 'off', on_failure: null, seq: 0, hash: null, error: null, lost: 0 },
      denied: { file: null, seq: 0, hash: null },
    },
    ...{ secrets, upstreams },
  };
  return formatStatus(status, { now, width: undefined });
}

t.test('rows of one path are told apart', async (t) => {
  const rows = textOf([
    secretOf('kv/vers', 'v:read kv/vers?version=1'),
    secretOf('kv/vers', 'v:read kv/vers'),
    secretOf('kv', 'v:list kv'),
    secretOf('pki/issue/web', 'v:write pki/issue/web -> aa11'),
    secretOf('pki/issue/web', 'v:write pki/issue/web -> bb22'),
    secretOf('ssh/sign/web', 'v:write ssh/sign/web -> cc33'),
    secretOf('kv/named', 'v:read kv/named', ['named']),
  ])
    .split('\n')
    .filter((line) => line.includes('fresh'))
    .map((line) => line.split('  ', 1)[0]?.trim());
  t.same(rows, [
    'kv/vers?version=1',
    'kv/vers',
    'kv/',
    'pki/issue/web -> aa11',
    'pki/issue/web -> bb22',
    'ssh/sign/web',
    'named',
  ]);
});

t.test('clocks that differ are named', async (t) => {
  const upstream = {
    name: 'v',
    kind: 'vault',
    state: 'ready',
    address: 'http://v',
    since: started,
    login: undefined,
  };
  t.match(
    textOf([], [{ ...upstream, clock_skew_seconds: -7200 } as UpstreamStatus]),
    /its clock is 2h behind this host's/,
  );
  t.match(
    textOf([], [{ ...upstream, message: 'sealed', clock_skew_seconds: 60 } as UpstreamStatus]),
    /sealed; its clock is (?:1m|60s) ahead of this host's/,
  );
});
