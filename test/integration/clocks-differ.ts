// The clock of this host is hours from the server's, or is set while the agent runs: nothing is made or asked for in a loop, what
// is held stays, and status names the difference.
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startAgent, type TestAgent } from '../support/cli.ts';
import { mountDatabase } from '../support/database-engine.ts';
import { createFakeTime } from '../support/fake-time.ts';
import { countLogins } from '../support/login-count.ts';
import { mountPki } from '../support/pki-engine.ts';
import { startPostgres } from '../support/postgres.ts';
import { type ServedVault, withEachVault } from '../support/served-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(600_000);
t.jobs = 3;

async function start(t: Test, vault: ServedVault, offset: string) {
  const postgres = await startPostgres(t);
  const folder = testFolder(t);
  const time = postgres && createFakeTime(t, folder, offset);
  if (postgres === undefined || time === undefined) return undefined;
  await mountDatabase(vault, postgres, { defaultTtl: '1h', maxTtl: '24h' });
  await mountPki(vault);
  await vault.ask('PUT', 'sys/mounts/ending', { type: 'kv', options: { version: '2' } });
  await waitFor('the mount', async () => {
    const { status } = await vault.request('PUT', 'ending/config', { delete_version_after: '10m' });
    return status < 300;
  });
  await vault.writeSecret('ending/app', { v: 'one' });
  const field = (name: string) => `{{ field "db" "${name}" | toJSON }}`;
  const startAgain = () =>
    startAgent(t, {
      folder,
      vault,
      env: time.env,
      config: {
        upstreams: {
          vault: { kind: 'vault', address: vault.address, auth: { method: 'token' }, events: false },
        },
        secrets: {
          db: { path: 'database/creds/app' },
          ending: { path: 'ending/app', refresh: '5s' },
        },
        files: [
          {
            contents: `{"user":${field('username')},"password":${field('password')}}`,
            destination: 'db.json',
          },
          {
            contents:
              '{{ with pkiCert "pki/issue/web" "common_name=a.example.com" "ttl=1h" }}{{ .Cert }}{{ end }}',
            destination: 'cert.pem',
          },
          { contents: '{{ field "ending" "v" }}', destination: 'ending' },
        ],
      },
    });
  const agent = startAgain();
  await agent.untilReady();
  const file = join(folder, 'db.json');
  return { postgres, agent, startAgain, time, file };
}

interface Status {
  upstreams: { clock_skew_seconds?: number }[];
  secrets: {
    path: string;
    state: string;
    expires_at: string | null;
    next: { action: string; at: string | null };
  }[];
}

const statusOf = async (agent: TestAgent) => JSON.parse((await agent.ask('/status')).text) as Status;

async function requestsOf(agent: TestAgent): Promise<number> {
  const { text } = await agent.ask('/metrics');
  const counts = [...text.matchAll(/^latchkey_upstream_requests_total\{[^}]*\} (\d+)$/gm)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

async function countMade(vault: ServedVault): Promise<{ certificates: number; credentials: number }> {
  const { data } = await vault.ask('LIST', 'pki/certs');
  const leases = await vault.ask('LIST', 'sys/leases/lookup/database/creds/app');
  return { certificates: data.keys.length - 1, credentials: leases.data.keys.length };
}

for (const [offset, hours] of [
  ['+2h', -2],
  ['-3h', 3],
] as const) {
  withEachVault(`a clock that is off by ${offset} from the start`, async (t, vault) => {
    const started = await start(t, vault, offset);
    if (started === undefined) return;
    const { agent, postgres, file } = started;
    const before = await requestsOf(agent);
    const begun = performance.now();
    const { failures, users } = await countLogins(postgres, file, 6000);
    const asked = (await requestsOf(agent)) - before;
    const seconds = Math.ceil((performance.now() - begun) / 1000);
    t.strictSame(failures, []);
    t.equal(users.size, 1);
    t.ok(asked <= 2 + seconds, `${asked} requests in ${seconds} s`);
    t.strictSame(await countMade(vault), { certificates: 1, credentials: 1 });
    const { upstreams, secrets } = await statusOf(agent);
    const skew = upstreams[0]?.clock_skew_seconds ?? 0;
    t.ok(Math.abs(skew - hours * 3600) < 5, `status names ${skew} s`);
    t.ok(
      secrets.every(({ state }) => state === 'fresh'),
      JSON.stringify(secrets.map(({ state }) => state)),
    );
    t.match(agent.log(), /clocks of this host and of the upstream differ/);
    await agent.stop();
  });
}

withEachVault('a clock that is set on and back while the agent runs', async (t, vault) => {
  const started = await start(t, vault, '+0');
  if (started === undefined) return;
  const { agent, postgres, file, time } = started;
  const before = await requestsOf(agent);
  const begun = performance.now();
  for (const [offset, hours] of [
    ['+1h', -1],
    ['-2h', 2],
    ['+30h', -30],
    ['+0', 0],
  ] as const) {
    time.set(offset);
    const counted = countLogins(postgres, file, 4000);
    await waitFor(`status names the skew of ${offset}`, async () => {
      const skew = (await statusOf(agent)).upstreams[0]?.clock_skew_seconds ?? 0;
      return Math.abs(skew - hours * 3600) < 5;
    });
    const { failures, users } = await counted;
    t.strictSame(failures, [], offset);
    t.equal(users.size, 1, offset);
  }
  const asked = (await requestsOf(agent)) - before;
  const seconds = Math.ceil((performance.now() - begun) / 1000);
  t.ok(asked < 30 + seconds, `${asked} requests in ${seconds} s`);
  const { secrets } = await statusOf(agent);
  t.ok(
    secrets.every(({ state }) => state === 'fresh'),
    JSON.stringify(secrets),
  );
  const certificate = secrets.find(({ path }) => path === 'pki/issue/web');
  t.equal(certificate?.next.action, 'replace');
  const left = Date.parse(certificate?.expires_at ?? '') - Date.now();
  t.ok(left > 3_400_000 && left <= 3_600_000, `the certificate lives ${left} ms more, as it did`);
  t.strictSame(await countMade(vault), { certificates: 1, credentials: 1 });
  await agent.stop();
});

withEachVault('a clock that is set between two runs', async (t, vault) => {
  const started = await start(t, vault, '+0');
  if (started === undefined) return;
  const { time, startAgain } = started;
  let { agent } = started;
  for (const [offset, hours] of [
    ['-20h', -20],
    ['+30h', 30],
  ] as const) {
    await agent.stop();
    time.set(offset);
    agent = startAgain();
    await agent.untilReady();
    const { secrets } = await statusOf(agent);
    for (const path of ['pki/issue/web', 'database/creds/app']) {
      const end = secrets.find((one) => one.path === path)?.expires_at ?? '';
      const left = Date.parse(end) - Date.now() - hours * 3_600_000;
      t.ok(left > 3_400_000 && left <= 3_601_000, `${path} lives ${left} ms more, as it did (${offset})`);
    }
  }
  t.match(agent.log(), /the clock of this host was set since the last run/);
  t.strictSame(await countMade(vault), { certificates: 1, credentials: 1 });
  await agent.stop();
});
