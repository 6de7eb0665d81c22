// The dashboard and the alert rules against the metrics of a real agent that has seen good and bad; Vault Agent's names
// against what was asked. Prometheus's own tool is the judge of its files where it is there.
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { load } from 'js-yaml';
import t, { type Test } from 'tap';
import { askSocket, startAgent, type TestAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { missing } from '../support/missing.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const folder = resolve(import.meta.dirname, '../../config/observability');
const rulesPath = join(folder, 'alerts.yaml');

interface Rule {
  alert: string;
  expr: string;
  for?: string;
  labels: { severity: string };
  annotations: { summary: string; description: string };
}

const rules: Rule[] = (
  load(readFileSync(rulesPath, 'utf8')) as { groups: { rules: Rule[] }[] }
).groups.flatMap((one) => one.rules);
const dashboard = JSON.parse(readFileSync(join(folder, 'grafana-dashboard.json'), 'utf8'));
const queries: string[] = dashboard.panels.flatMap(({ targets }: { targets: { expr: string }[] }) =>
  targets.map(({ expr }) => expr),
);

const promtool = { skip: missing('promtool (Debian: prometheus)', ['promtool', '--version']) };

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

function samplesOf(text: string): Sample[] {
  return [...text.matchAll(/^([a-z_]+)(?:\{(.*)\})? (\S+)$/gm)].map(([, name = '', labels = '', value]) => ({
    name,
    labels: Object.fromEntries(
      [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, one]) => [key, one]),
    ),
    value: Number(value),
  }));
}

/** `name{label="value"}` of a query, without what the place where it is scraped adds. */
function selectorsOf(expr: string) {
  return [...expr.matchAll(/\b(latchkey_\w+)(?:\{([^}]*)\})?/g)].map(([, name = '', inside = '']) => ({
    name,
    matchers: [...inside.matchAll(/(\w+)(=~|!=|=)"([^"]*)"/g)]
      .map(([, label = '', operator = '', value = '']) => ({ label, operator, value }))
      .filter(({ label }) => label !== 'instance'),
  }));
}

function labelsOf(expr: string): string[] {
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/,\s*/));
  return grouped.filter((label) => !['instance', 'le'].includes(label));
}

async function troubledAgent(t: Test): Promise<TestAgent> {
  const home = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'one' });
  await vault.writeSecret('secret/gone', { word: 'one' });
  const role = await vault.createAppRole('host');
  writeFileSync(join(home, 'good-id'), role.secretId, { mode: 0o600 });
  const agent = startAgent(t, {
    folder: home,
    vault,
    config: {
      upstreams: {
        vault: { kind: 'vault', address: vault.address, auth: { method: 'token' } },
        login: {
          kind: 'vault',
          address: vault.address,
          auth: {
            method: 'approle',
            role_id: role.roleId,
            secret_id_file: join(home, 'good-id'),
            remove_secret_id_file: false,
          },
        },
        other: {
          kind: 'vault',
          address: vault.address,
          auth: {
            method: 'approle',
            role_id: 'nobody',
            secret_id_file: join(home, 'secret-id'),
            min_backoff: '100ms',
          },
        },
      },
      secrets: {
        app: { upstream: 'vault', path: 'secret/app', refresh: '250ms' },
        gone: {
          upstream: 'vault',
          path: 'secret/gone',
          refresh: '250ms',
          on_removed: 'fail',
          required: false,
        },
      },
      files: [
        {
          destination: join(home, 'good'),
          contents: '{{ field "app" "word" }}',
          notify: { command: ['true'] },
        },
        {
          destination: join(home, 'bad'),
          contents: '{{ field "app" "word" }}',
          check: { command: ['false'] },
        },
      ],
      processes: [
        { name: 'short', command: ['false'], restart: { on_exit: 'always', backoff: '100ms..200ms' } },
      ],
      listeners: [
        { unix: join(home, 'latchkey.sock'), serve: ['secrets', 'admin', 'metrics'] },
        { unix: join(home, 'vault.sock'), serve: ['vault', 'metrics'] },
      ],
    },
  });
  writeFileSync(join(home, 'secret-id'), 'wrong', { mode: 0o600 });
  const metrics = async () => (await agent.ask('/metrics').catch(() => ({ text: '' }))).text;
  await waitFor('the first file', async () =>
    /latchkey_file_writes_total\{[^}]*good"\} 1/.test(await metrics()),
  );
  await vault.ask('DELETE', 'secret/metadata/gone');
  await vault.writeSecret('secret/app', { word: 'two' });
  await waitFor('the second', () => readFileSync(join(home, 'good'), 'utf8') === 'two');
  writeFileSync(join(home, 'good'), 'somebody else');
  await agent.ask('/refresh', { method: 'POST' });
  await agent.ask('/secrets/app', { headers: { origin: 'https://evil.example' } });
  const config = readFileSync(agent.configPath, 'utf8');
  writeFileSync(agent.configPath, '{"secretz": {}}');
  await agent.ask('/reload', { method: 'POST' });
  writeFileSync(agent.configPath, config);
  for (const what of [
    /latchkey_secret_state\{name="gone",state="expired"\} 1/,
    /latchkey_process_starts_total\{process="short",reason="exit"\} [1-9]/,
    /latchkey_file_failures_total\{[^}]*bad",step="check"\}/,
    /latchkey_file_drifts_total\{/,
    /latchkey_upstream_logins_total\{upstream="other",outcome="(?!ok)/,
    /latchkey_secret_rotations_total\{name="app"\} 1/,
  ])
    await waitFor(String(what), async () => what.test(await metrics()));
  return agent;
}

t.test(
  'what rules and dashboard ask for is in the metrics of an agent that has seen good and bad',
  async (t) => {
    const agent = await troubledAgent(t);
    const { text } = await agent.ask('/metrics');
    const samples = samplesOf(text);
    const ofName = (name: string): Sample[] =>
      samples.filter((one) => one.name === name || one.name === name.replace(/_bucket$/, ''));
    for (const expr of [...rules.map((rule) => rule.expr), ...queries]) {
      for (const { name, matchers } of selectorsOf(expr)) {
        const family = name.replace(/_(?:bucket|sum|count)$/, '');
        t.match(text, new RegExp(`^# TYPE (?:${name}|${family}) `, 'm'), `${name} is a metric`);
        for (const { label, operator, value } of matchers) {
          const values = new Set(ofName(name).map(({ labels }) => labels[label]));
          const wanted = operator === '=~' ? value.split('|') : [value];
          // Only a lease that is held on to is superseded; the states are those of the lease engine.
          for (const one of operator === '!=' ? [] : wanted)
            if (name !== 'latchkey_leases')
              t.ok(values.has(one), `${name}: ${label} may be ${one}: ${[...values]}`);
        }
      }
      for (const label of labelsOf(expr)) {
        const names = selectorsOf(expr).map(({ name }) => name);
        const declared = readFileSync(resolve(folder, '../../docs/reference/metrics.md'), 'utf8');
        const isIn = names.some((name) =>
          new RegExp(`\`${name.replace(/_(?:bucket|sum|count)$/, '')}\` \\|[^|]*\\|[^|]*\`${label}\``).test(
            declared,
          ),
        );
        t.ok(isIn, `${expr}: ${label}`);
      }
    }
    t.equal(samples.find(({ name }) => name === 'latchkey_ready')?.value, 0, 'it is not ready');
    const up = samples.filter(({ name }) => name === 'latchkey_upstream_up');
    t.strictSame(
      up.map(({ labels, value }) => [labels['upstream'], value]),
      [
        ['vault', 1],
        ['login', 1],
        ['other', 0],
      ],
    );

    await t.test('Prometheus finds nothing wrong with the text', promtool, async (t) => {
      const checked = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
      t.strictSame([checked.status, checked.stderr + checked.stdout], [0, '']);
    });

    await t.test("Vault Agent's names tell what was asked", async (t) => {
      const vaultSocket = join(agent.folder, 'vault.sock');
      const valuesOf = async (path = '/agent/v1/metrics'): Promise<Record<string, number>> => {
        const { status, text: told } = await askSocket(vaultSocket, path);
        t.equal(status, 200);
        return Object.fromEntries(
          samplesOf(told)
            .filter(({ name }) => name.startsWith('vault_'))
            .map(({ name, value }) => [name, value]),
        );
      };
      const before = await valuesOf();
      t.strictSame(Object.keys(before), [
        'vault_agent_auth_success',
        'vault_agent_auth_failure',
        'vault_agent_proxy_success',
        'vault_agent_proxy_client_error',
        'vault_agent_proxy_error',
        'vault_agent_cache_hit',
        'vault_agent_cache_miss',
        'vault_agent_authenticated',
      ]);
      t.match(before, {
        vault_agent_auth_success: 1,
        vault_agent_proxy_success: 0,
        vault_agent_authenticated: 1,
      });
      t.ok((before['vault_agent_auth_failure'] ?? 0) >= 1);
      for (const told of ['MISS', 'HIT']) {
        const answer = await askSocket(vaultSocket, '/v1/secret/data/app');
        t.strictSame([answer.status, answer.headers['x-cache']], [200, told]);
      }
      t.equal((await askSocket(vaultSocket, '/v1/secret/data/nothing')).status, 404);
      const after = await valuesOf();
      const grown = Object.keys(after).filter((name) => after[name] !== before[name]);
      t.strictSame(
        grown.filter((name) => name !== 'vault_agent_auth_failure').map((name) => [name, after[name]]),
        [
          ['vault_agent_proxy_success', 2],
          ['vault_agent_proxy_client_error', 1],
          ['vault_agent_cache_hit', 1],
          ['vault_agent_cache_miss', 1],
        ],
      );
      t.match(await valuesOf('/proxy/v1/metrics'), {
        vault_proxy_auth_success: 1,
        vault_proxy_authenticated: 1,
      });
    });
  },
);

t.test('the rules are of one form, and the panels stand beside each other', (t) => {
  const page = readFileSync(resolve(folder, '../../docs/guides/troubleshooting.md'), 'utf8');
  t.strictSame(
    [...page.matchAll(/^\| `(Latchkey\w+)` \|/gm)].map(([, name]) => name),
    rules.map(({ alert }) => alert),
    'the guide says of each what to do',
  );
  for (const { alert, labels, annotations } of rules) {
    t.match(alert, /^Latchkey[A-Z]/);
    t.ok(['critical', 'warning'].includes(labels.severity), alert);
    t.ok(annotations.summary.includes('$labels.instance'), `${alert} tells where`);
    t.match(annotations.description, /\.$/, alert);
  }
  const taken = new Set<string>();
  for (const { gridPos } of dashboard.panels) {
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        t.notOk(taken.has(`${x} ${y}`));
        taken.add(`${x} ${y}`);
      }
    t.ok(gridPos.x + gridPos.w <= 24);
  }
  t.end();
});

t.test('every rule fires on what it is for, and not before', promtool, async (t) => {
  const series: Readonly<Record<string, [series: string, values: string][]>> = {
    LatchkeyDown: [['up{job="latchkey",instance="a"}', '0x120']],
    LatchkeyNotReady: [['latchkey_ready{instance="a"}', '0x120']],
    LatchkeyUpstreamAway: [['latchkey_upstream_up{instance="a",upstream="vault"}', '0x120']],
    LatchkeyLoginsFail: [
      ['latchkey_upstream_logins_total{instance="a",upstream="vault",outcome="login_failed"}', '0+1x120'],
    ],
    LatchkeySecretStale: [['latchkey_secret_state{instance="a",name="db",state="stale"}', '1x120']],
    LatchkeySecretRefused: [['latchkey_secret_state{instance="a",name="db",state="removed"}', '1x120']],
    LatchkeySecretExpired: [['latchkey_secret_state{instance="a",name="db",state="expired"}', '1x120']],
    LatchkeySecretEnds: [
      ['latchkey_secret_expiry_seconds{instance="a",name="db"}', '30x120'],
      ['latchkey_secret_age_seconds{instance="a",name="db"}', '3600x120'],
    ],
    LatchkeySecretErrors: [['latchkey_secret_errors_total{instance="a",name="db",code="denied"}', '0+1x120']],
    LatchkeyFileBehind: [['latchkey_file_up_to_date{instance="a",destination="/etc/x"}', '0x120']],
    LatchkeyFileStepFails: [
      ['latchkey_file_failures_total{instance="a",destination="/etc/x",step="check"}', '0+1x120'],
    ],
    LatchkeyFileChangedByOthers: [
      ['latchkey_file_drifts_total{instance="a",destination="/etc/x",what="content"}', '0+1x120'],
    ],
    LatchkeyProcessDown: [['latchkey_process_up{instance="a",process="p"}', '0x120']],
    LatchkeyProcessRestarts: [
      ['latchkey_process_starts_total{instance="a",process="p",reason="exit"}', '0+1x120'],
    ],
    LatchkeyRotationSlow: [
      ['latchkey_rotation_seconds_bucket{instance="a",le="5"}', '0x120'],
      ['latchkey_rotation_seconds_bucket{instance="a",le="30"}', '0+1x120'],
      ['latchkey_rotation_seconds_bucket{instance="a",le="+Inf"}', '0+1x120'],
    ],
    LatchkeyLeasesPileUp: [['latchkey_leases{instance="a",state="superseded"}', '21x120']],
    LatchkeyAuditFails: [['latchkey_audit_failures_total{instance="a"}', '0+1x120']],
    LatchkeyDenials: [['latchkey_denials_total{instance="a",why="access"}', '0+5x120']],
    LatchkeyConfigRefused: [['latchkey_reloads_total{instance="a",outcome="failed"}', '0+1x120']],
  };
  t.strictSame(
    rules.map(({ alert }) => alert),
    Object.keys(series),
    'each rule has its case here',
  );
  const tests = rules.map(({ alert }) => ({
    interval: '1m',
    input_series: (series[alert] ?? []).map(([name, values]) => ({ series: name, values })),
    promql_expr_test: [
      {
        expr: `count(ALERTS{alertname="${alert}",alertstate="firing"}) or vector(0)`,
        eval_time: '90m',
        exp_samples: [{ labels: '{}', value: 1 }],
      },
    ],
  }));
  const quiet = {
    interval: '1m',
    input_series: [
      ['up{job="latchkey",instance="a"}', '1x120'],
      ['latchkey_ready{instance="a"}', '1x120'],
      ['latchkey_upstream_up{instance="a",upstream="vault"}', '1x120'],
      ['latchkey_upstream_logins_total{instance="a",upstream="vault",outcome="ok"}', '0+1x120'],
      ['latchkey_secret_state{instance="a",name="db",state="stale"}', '0x120'],
      ['latchkey_secret_expiry_seconds{instance="a",name="db"}', '30x120'],
      ['latchkey_secret_age_seconds{instance="a",name="db"}', '10x120'],
      ['latchkey_file_up_to_date{instance="a",destination="/etc/x"}', '1x120'],
      ['latchkey_file_failures_total{instance="a",destination="/etc/x",step="check"}', '4x120'],
      ['latchkey_process_starts_total{instance="a",process="p",reason="rotation"}', '0+1x120'],
      ['latchkey_reloads_total{instance="a",outcome="done"}', '0+1x120'],
    ].map(([name, values]) => ({ series: name, values })),
    promql_expr_test: [
      { expr: 'count(ALERTS) or vector(0)', eval_time: '90m', exp_samples: [{ labels: '{}', value: 0 }] },
    ],
  };
  const path = join(testFolder(t), 'tests.json');
  writeFileSync(
    path,
    JSON.stringify({ rule_files: [rulesPath], evaluation_interval: '1m', tests: [...tests, quiet] }),
  );
  for (const words of [
    ['check', 'rules', rulesPath],
    ['check', 'config', '--syntax-only', join(folder, 'prometheus.yaml')],
    ['test', 'rules', path],
  ]) {
    const { status, stdout, stderr } = spawnSync('promtool', words, { encoding: 'utf8' });
    t.equal(status, 0, `${words.join(' ')}: ${stdout}${stderr}`);
  }
});

t.test('what left the config is in no metric, and what stays goes on', async (t) => {
  const home = testFolder(t);
  const vault = await startDevVault(t);
  const names = ['kept', 'left'];
  for (const name of names) await vault.writeSecret(`secret/${name}`, { word: 'one' });
  const configOf = (wanted: readonly string[], down: string) => ({
    upstreams: Object.fromEntries(
      ['vault', ...wanted.map((name) => `${name}-upstream`)].map((name) => [
        name,
        { kind: 'vault', address: name.startsWith('left') ? down : vault.address, auth: { method: 'token' } },
      ]),
    ),
    secrets: Object.fromEntries(
      wanted.map((name) => [
        `${name}-secret`,
        { upstream: 'vault', path: `secret/${name}`, refresh: '200ms' },
      ]),
    ),
    files: wanted.map((name) => ({
      destination: join(home, `${name}-file`),
      contents: `{{ field "${name}-secret" "word" }}`,
    })),
    processes: wanted.map((name) => ({ name: `${name}-process`, command: ['sleep', '1000'] })),
  });
  const agent = startAgent(t, { folder: home, vault, config: configOf(names, 'http://127.0.0.1:9') });
  const metrics = async () => (await agent.ask('/metrics').catch(() => ({ text: '' }))).text;
  for (const name of names) await vault.writeSecret(`secret/${name}`, { word: 'two' });
  for (const what of [
    /latchkey_upstream_up\{upstream="left-upstream"\} 0/,
    /latchkey_upstream_requests_total\{upstream="left-upstream",outcome="/,
    /latchkey_file_writes_total\{destination="[^"]*left-file"\} [1-9]/,
    /latchkey_process_starts_total\{process="left-process",reason="first"\} 1/,
    /latchkey_secret_state\{name="left-secret",state="fresh"\} 1/,
    /latchkey_upstream_requests_total\{upstream="kept-upstream",outcome="/,
  ])
    await waitFor(String(what), async () => what.test(await metrics()));
  const config = JSON.parse(readFileSync(agent.configPath, 'utf8'));
  writeFileSync(agent.configPath, JSON.stringify({ ...config, ...configOf(['kept'], '') }));
  t.equal((await agent.ask('/reload', { method: 'POST' })).status, 200);
  await waitFor('the names to be gone', async () => !/left-/.test(await metrics()));
  const text = await metrics();
  t.match(text, /latchkey_upstream_up\{upstream="kept-upstream"\} 1/);
  t.match(text, /latchkey_file_writes_total\{destination="[^"]*kept-file"\} [1-9]/);
  t.match(text, /latchkey_process_starts_total\{process="kept-process",reason="first"\} 1/);
});

t.test(
  'a hook and a listener that left take their metrics along, and the place of one is not another',
  async (t) => {
    const home = testFolder(t);
    const vault = await startDevVault(t);
    const left = join(home, 'left.sock');
    const main = { unix: join(home, 'main.sock'), serve: ['admin', 'metrics', 'hooks'] };
    const hook = (name: string) => {
      const key = join(home, `${name}.key`);
      writeFileSync(key, 'key', { mode: 0o600 });
      return { hmac: { secret_file: key }, refresh: ['app'] };
    };
    const configOf = (listeners: object[], hooks: string[]) => ({
      secrets: { app: { path: 'secret/app' } },
      listeners,
      hooks: Object.fromEntries(hooks.map((name) => [name, hook(name)])),
    });
    const both = configOf([{ unix: left, serve: ['hooks', 'metrics'] }, main], ['left-hook', 'kept-hook']);
    const agent = startAgent(t, { folder: home, vault, config: both });
    const ask = (socket: string, path: string, method = 'GET') => askSocket(socket, path, { method });
    await waitFor('the listeners', () => ask(left, '/metrics').catch(() => undefined));
    await waitFor('the listeners', () => ask(main.unix, '/metrics').catch(() => undefined));
    rmSync(left);
    await waitFor('the socket again', () => ask(left, '/metrics').catch(() => undefined));
    for (const name of ['left-hook', 'kept-hook', 'no-such-hook']) await ask(left, `/hooks/${name}`, 'POST');
    const before = (await ask(main.unix, '/metrics')).text;
    for (const what of [
      /latchkey_hook_messages_total\{hook="left-hook",outcome="\w+"\} 1/,
      /latchkey_hook_messages_total\{hook="unknown",outcome="\w+"\} 1/,
      /latchkey_file_drifts_total\{destination="[^"]*left\.sock",what="deleted"\} 1/,
      /latchkey_connections\{listener="listeners\[0\]"\} 0/,
      /latchkey_connections\{listener="listeners\[1\]"\} 1/,
    ])
      t.match(before, what);
    // Two reloads between two looks: one that came and went is forgotten too.
    const config = JSON.parse(readFileSync(agent.configPath, 'utf8'));
    const reload = async (next: object) => {
      writeFileSync(agent.configPath, JSON.stringify({ ...config, ...next }));
      t.equal((await ask(main.unix, '/reload', 'POST')).status, 200);
    };
    await reload(configOf([{ unix: left, serve: ['hooks'] }, main], ['brief-hook', 'kept-hook']));
    await ask(left, '/hooks/brief-hook', 'POST');
    await reload(configOf([main], ['kept-hook']));
    const { text } = await ask(main.unix, '/metrics');
    t.notMatch(text, /left-hook|brief-hook|left\.sock|listeners\[1\]/);
    t.match(text, /latchkey_hook_messages_total\{hook="kept-hook",outcome="\w+"\} 1/);
    t.match(text, /latchkey_hook_messages_total\{hook="unknown",outcome="\w+"\} 1/);
    t.match(text, /latchkey_connections\{listener="listeners\[0\]"\} 1/, 'the one that has this place now');
  },
);
