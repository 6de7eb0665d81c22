// The config.toml of AWS's Secrets Manager agent.
import t from 'tap';
import { loadConfigText } from '../../../src/config/load.ts';
import { migrate } from '../../../src/config/migrate.ts';

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
  t.match(load('', { AWS_TOKEN: 'file:///run/token' }).listeners, [{ tokenFile: '/run/token' }]);
  t.match(load('ssrf_env_variables = ["MINE"]', { AWS_TOKEN: 'file:///a', MINE: 'file:///b' }).listeners, [
    { tokenFile: '/b' },
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

t.test('is migrated with what has no counterpart', async (t) => {
  const { yaml, tool, notes } = migrate([
    { file: '/x/config.toml', text: 'ttl_seconds = 60\ncache_size = 5' },
  ]);
  t.equal(tool, 'aws-agent');
  t.match(yaml, /kind: aws/);
  t.match(
    notes.map(({ origin, message }) => `${origin.name}: ${message}`),
    [/ttl_seconds: say refresh: 60s/, /cache_size: has nothing to do/, /name under `secrets`/],
  );
});
