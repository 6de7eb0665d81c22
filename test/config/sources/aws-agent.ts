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

t.test('tells what is wrong where it stands', async (t) => {
  t.throws(() => load('region = "a"\nhttp_prt = 1'), {
    message: '/x/config.toml:2:1: http_prt: unknown key; did you mean http_port?',
  });
  t.throws(() => load('  http_port = 80'), {
    message: '/x/config.toml:1:3: http_port: expected a number from 1024 to 65535',
  });
  t.throws(() => load('ttl_seconds = "4000"'), { message: /ttl_seconds: expected a number from 0 to 3600/ });
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
