import t from 'tap';
import type { AgentStatus, SecretStatus, UpstreamStatus } from '../../../src/api/status.ts';
import { formatStatus } from '../../../src/cli/text/status-text.ts';
import { isColoured, rendered } from '../../../src/cli/text/tone.ts';

const now = Date.parse('2026-01-02T03:04:05Z');
const started = new Date(now - 60_000).toISOString();

function secretOf(path: string, key: string, names: readonly string[] = []): SecretStatus {
  const none = {
    version: 1,
    obtained_at: started,
    expires_at: null,
    confirmed_at: null,
    last_value: null,
    calls_a_day: null,
    age_seconds: 60,
    next: null,
    error: null,
  };
  return { ...none, names, key, upstream: 'v', path, state: 'fresh', consumers: [] };
}

function statusWith(
  secrets: readonly SecretStatus[],
  upstreams: readonly UpstreamStatus[] = [],
): AgentStatus {
  return {
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
    log: { level: 'info', config_level: 'info', until: null },
    ...{ secrets, upstreams },
  };
}

function textOf(secrets: readonly SecretStatus[], upstreams: readonly UpstreamStatus[] = []): string {
  return rendered(formatStatus(statusWith(secrets, upstreams), { now, width: undefined }), false);
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

t.test('what an upstream says is told once, and the others say that they wait for it', async (t) => {
  const message = 'the vault at http://v is sealed; unseal it';
  const away = {
    ...{ name: 'v', kind: 'vault', state: 'sealed', address: 'http://v', since: started, login: undefined },
    message,
  } as unknown as UpstreamStatus;
  const stale = (name: string, said: string): SecretStatus => ({
    ...secretOf(`kv/${name}`, `v:read kv/${name}`, [name]),
    state: 'stale',
    error: { code: 'upstream_sealed', message: said, since: started, count: 1 },
  });
  const file = {
    ...{ destination: '/out', state: 'waiting', since: started, retry_at: null, template_problem: null },
    says: `waits for one: ${message}`,
  } as unknown as AgentStatus['files'][number];
  const status = statusWith([stale('one', message), stale('two', 'denied by policy')], [away]);
  const text = rendered(formatStatus({ ...status, files: [file] }, { now, width: undefined }), false);
  t.equal(text.split(message).length - 1, 1);
  t.match(text, /^one +stale .* waits for upstream v$/m);
  t.match(text, /^two +stale .* denied by policy$/m);
  t.match(text, /^\/out +waiting +waits for one$/m);
  const fine = { ...status, secrets: [...status.secrets, secretOf('kv/well', 'v:read kv/well', ['well'])] };
  const problems = rendered(formatStatus(fine, { now, width: undefined, isOfProblems: true }), false);
  t.match(problems, /^latchkey [\s\S]*^UPSTREAM [\s\S]*^one +stale [\s\S]*^two +stale /m);
  t.notMatch(problems, /^well |^FILE|^PROCESS/m, 'what is well is left out');
});

t.test(
  'what needs attention stands first, fits the width, and has its colour where there is one',
  async (t) => {
    const none = { since: started, ready: false, restarts: 0 };
    const secrets = Array.from({ length: 5 }, (_, index) =>
      secretOf(`kv/s${index}`, `v:read kv/s${index}`, [`s${index}`]),
    );
    const failing: SecretStatus = {
      ...secretOf('kv/long', 'v:read kv/long', [
        'a-name-that-is-so-long-that-it-fills-more-than-half-of-any-terminal',
      ]),
      state: 'stale',
      error: { code: 'upstream_unavailable', message: 'x'.repeat(100), since: started, count: 3 },
    };
    const status = {
      ...statusWith([...secrets, failing]),
      processes: [
        { name: 'good', state: 'running', ...none },
        { name: 'broken', state: 'failed', ...none, message: 'it ends again and again' },
      ],
      degraded: ['1 secret stale'],
    };
    const text = formatStatus(status, { now, width: 80 });
    const plain = rendered(text, false);
    for (const line of plain.split('\n')) t.ok(line.length <= 80, line);
    const place = (word: string): number => plain.indexOf(word);
    t.ok(place('PROCESS') < place('SECRET'), 'what is broken comes before what is stale');
    t.ok(place('broken') < place('good'));
    t.ok(place('a-name') < place('s0'));
    t.match(plain, /^a-name-that\S*…\S*terminal +stale /m, 'both ends of a long name are there');
    const wide = rendered(formatStatus(status, { now, width: undefined }), false);
    t.match(wide, /\nmore: latchkey explain a-name-\S*-terminal\n$/);
    t.match(rendered(text, true), /\u001b\[33mstale\u001b\[0m/);
    t.match(rendered(text, true), /\u001b\[31;1mfailed\u001b\[0m/);
    t.match(rendered(text, true), /\u001b\[32mrunning\u001b\[0m/);
    t.equal(rendered(text, true).replaceAll(/\u001b\[[\d;]*m/g, ''), plain, 'colours move nothing');
    t.strictSame(
      [{ isTTY: true }, { isTTY: false }].map((output) => isColoured(output, {})),
      [true, false],
    );
    const forged = formatStatus(statusWith([secretOf('kv/x', 'v:read kv/x', ['na\uf4a3me'])]), {
      now,
      width: 80,
    });
    t.match(rendered(forged, true), /^name +/m, 'a name has no say in colours');
    t.notOk(isColoured({ isTTY: true }, { NO_COLOR: '1' }));
    t.ok(isColoured({ isTTY: true }, { NO_COLOR: '' }));
    t.notOk(isColoured({ isTTY: true }, { TERM: 'dumb' }));
  },
);
