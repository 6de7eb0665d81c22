// The config.toml of AWS's Secrets Manager agent.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadConfigText } from '../../../src/config/load.ts';
import { differences, migrate } from '../../../src/config/migrate.ts';

const load = (text: string, env: Record<string, string> = {}) =>
  loadConfigText('/x/config.toml', text, { env, checks: 'text' });

t.test('gives an upstream and a listener', async (t) => {
  const config = load('log_level = "warn"\nhttp_port = 2999\nregion = "eu-west-1"\nmax_conn = 10\n');
  t.match(config.upstreams, [{ kind: 'aws', region: 'eu-west-1' }]);
  t.match(config.listeners, [
    {
      kind: 'tcp',
      host: '127.0.0.1',
      port: 2999,
      serve: ['aws'],
      maxConnections: 10,
      tokenFile: '/var/run/awssmatoken',
    },
  ]);
  t.match(config.log, { level: 'warn' });
  t.match(load('').listeners, [{ port: 2773 }], 'their defaults');
  t.match(load('').listeners, [
    {
      maxConnections: 800,
      anySecret: { upstream: 'aws', ttlMs: 300_000, cacheSize: 1000, servesStale: true, pathPrefix: '/v1/' },
      tokenHeaders: ['x-aws-parameters-secrets-token', 'x-vault-token'],
    },
  ]);
  t.match(load('').access.rules, [{ client: { token: 'http_port' }, allow: ['*'] }]);
  t.match(load('', { AWS_TOKEN: 'file:///run/token' }).listeners, [
    {
      tokenFile: undefined,
      tokenVariables: ['AWS_TOKEN', 'AWS_SESSION_TOKEN', 'AWS_CONTAINER_AUTHORIZATION_TOKEN'],
    },
  ]);
  t.match(load('ssrf_env_variables = ["MINE"]', { AWS_TOKEN: 'a', MINE: 'b' }).listeners, [
    { tokenVariables: ['MINE'] },
  ]);
  const all = load(`ttl_seconds = 0
cache_size = "5"
ssrf_headers = ["X-Mine"]
path_prefix = "/by-id/"
ignore_transient_errors = false
credentials_file_path = "/etc/keys"
`);
  t.match(all.upstreams, [{ credentialsFile: '/etc/keys' }]);
  t.match(all.listeners, [
    {
      tokenHeaders: ['x-mine'],
      anySecret: { ttlMs: 0, cacheSize: 5, servesStale: false, pathPrefix: '/by-id/' },
    },
  ]);
});

t.test('takes the tables of the workload credentials provider', async (t) => {
  const config = load(`[logging]
log_level = "WARN"
log_to_file = false
[capabilities.secrets_manager]
http_port = 0
region = "eu-west-1"
path_prefix = "/by-id/"
max_conn = 7
ignore_transient_errors = false
credentials_file_path = "/etc/keys"
[capabilities.secrets_manager.cache]
ttl_seconds = 60
cache_size = 5
[capabilities.secrets_manager.security]
ssrf_headers = ["X-Mine"]
`);
  t.match(config.log, { level: 'warn' });
  t.match(config.upstreams, [{ region: 'eu-west-1', credentialsFile: '/etc/keys' }]);
  t.match(config.listeners, [
    {
      port: 0,
      maxConnections: 7,
      tokenHeaders: ['x-mine'],
      anySecret: { ttlMs: 60_000, cacheSize: 5, servesStale: false, pathPrefix: '/by-id/' },
    },
  ]);
});

t.test('says what nothing comes of', async (t) => {
  const { notes } = migrate([
    {
      file: '/x/config.toml',
      text: `[capabilities.secrets_manager]
max_roles = 3
[[capabilities.secrets_manager.prefetch.filter_tags]]
key = "Env"
[capabilities.acm]
enabled = true
[[capabilities.acm.certificates]]
certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/a"
`,
    },
  ]);
  const told = notes.map(({ kind, origin, message }) => `${origin.position?.line} ${kind} ${message}`);
  t.ok(told.some((line) => /^2 ignored roleArn in a request is refused/.test(line)));
  t.ok(told.some((line) => /^3 differs nothing is fetched ahead/.test(line)));
  t.ok(told.some((line) => /^6 ignored certificates of ACM/.test(line)));
  t.throws(() => load('[capabilities.secrets_manager]\nenabled = false'), {
    message: /config\.toml:2:1: .*enabled: Secrets Manager is off/,
  });
});

t.test('takes flags and numbers as their reader does', async (t) => {
  t.match(load('log_to_file = "yes"\nhttp_port = "0"\nignore_transient_errors = 0').listeners, [
    { port: 0, anySecret: { servesStale: false } },
  ]);
});

t.test('tells what is wrong where it stands', async (t) => {
  t.throws(() => load('region = "a"\nhttp_prt = 1'), {
    message: '/x/config.toml:2:1: http_prt: unknown key; did you mean http_port?',
  });
  t.throws(() => load('  http_port = 80'), {
    message: '/x/config.toml:1:3: http_port: expected a number from 1024 to 65535',
  });
  t.throws(() => load('ttl_seconds = "4000"'), { message: /ttl_seconds: expected a number from 0 to 3600/ });
  t.throws(() => load('http_port = 3000\n[logging]\nlog_level = "info"'), {
    message: /config\.toml:1:1: http_port: cannot stand beside the tables/,
  });
  t.throws(() => load('[capabilities.secrets_manager.cache]\n  ttl_second = 5'), {
    message: /config\.toml:2:3: .*ttl_second: unknown key; did you mean .*cache\.ttl_seconds\?/,
  });
  t.throws(() => load('[prefetch]\nsecrets = [{ id = "a" }]'), {
    message: /config\.toml:2:1: prefetch\.secrets: expected a list of tables with secret_id/,
  });
  t.throws(() => load('a = = b'), { message: /config\.toml:1:\d+: not valid TOML/ });
});

t.test('is migrated, and means the same', async (t) => {
  const { yaml, tool, notes } = migrate([
    { file: '/x/config.toml', text: 'ttl_seconds = 60\ncache_size = 5' },
  ]);
  t.equal(tool, 'aws-agent');
  t.match(yaml, /kind: aws/);
  t.match(yaml, /ttl: 1m\n\s+cache_size: 5/);
  t.match(
    notes.map(({ message }) => message),
    [
      /writes a token to \/var\/run\/awssmatoken/,
      /log goes to stderr/,
      /do not end the agent/,
      /narrow the rule/,
    ],
  );
  const folder = t.testdir({ 'config.toml': 'ttl_seconds = 60\ncache_size = 5' });
  const path = join(folder, 'config.toml');
  const again = migrate([{ file: path, text: readFileSync(path, 'utf8') }]);
  t.same(differences([path], again.yaml), []);
});
