// Logins that fail at three in the morning, row by row: see three-am.ts for what every row must show. Each breaks the token
// in use, so that the agent logs in again; nothing new comes from the vault meanwhile, and what is there goes on being served.
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import t from 'tap';
import { writeAppRole } from '../support/app-role-files.ts';
import { startAgent } from '../support/cli.ts';
import { mountDatabase } from '../support/database-engine.ts';
import { startDevVault, type TestVault } from '../support/dev-vault.ts';
import { type Night, type Row, read, runNight, victim } from '../support/night.ts';
import { queryPostgres, startPostgres } from '../support/postgres.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(600_000);

/** The token of the agent dies, and it must log in again. */
async function loseToken({ agent, vault }: Night): Promise<void> {
  const { upstreams } = JSON.parse((await agent.ask('/status')).text) as {
    upstreams: { login: { accessor: string } }[];
  };
  await vault.ask('PUT', 'auth/token/revoke-accessor', { accessor: upstreams[0]?.login.accessor });
}

const newSecretId = async (vault: TestVault, more: object = {}): Promise<string> =>
  (await vault.ask('PUT', 'auth/approle/role/agent/secret-id', more)).data.secret_id;

const appRole =
  (more: object = {}): NonNullable<Row['auth']> =>
  async (vault, at) => {
    const credentials = await vault.createAppRole('agent', {
      token_policies: 'agent',
      token_ttl: '1h',
      // Else the one that is in memory would do.
      secret_id_num_uses: 1,
    });
    return { ...writeAppRole(at('.'), credentials), ...more };
  };

/** In one step: written in place, it may be seen empty, which is a try and a line of its own. */
async function giveSecretId({ vault, at }: Night): Promise<void> {
  writeFileSync(at('next-id'), await newSecretId(vault), { mode: 0o600 });
  renameSync(at('next-id'), at('secret-id'));
}

// That the file changed may be heard after the login that has read it: one more try, and one more line.
const common = { parts: victim({}), isVaultUp: false, mostLines: 4 } as const;
const kept = { remove_secret_id_file: false };

const rows: readonly Row[] = [
  {
    ...common,
    name: 'the secret id was used up, and its file is gone',
    auth: appRole(),
    breaks: loseToken,
    says: /refused with 400.*put a new one into .*secret-id, and the agent goes on by itself/,
    mends: giveSecretId,
  },
  {
    ...common,
    name: 'somebody removes the secret id',
    auth: appRole(kept),
    breaks: async (night) => {
      rmSync(night.at('secret-id'));
      await loseToken(night);
    },
    says: /refused with 400.*put a new one into .*secret-id, and the agent goes on by itself/,
    mends: giveSecretId,
  },
  {
    ...common,
    name: 'the secret id is a wrong one',
    auth: appRole(kept),
    breaks: async (night) => {
      night.write('secret-id', '00000000-0000-0000-0000-000000000000');
      await loseToken(night);
    },
    says: /invalid (?:role or )?secret id|refused with 40[03].*secret id/i,
    mends: giveSecretId,
  },
  {
    ...common,
    name: 'the secret id has expired',
    auth: appRole(kept),
    breaks: async (night) => {
      const { write, vault } = night;
      const id = await newSecretId(vault, { ttl: '1s' });
      write('secret-id', id);
      await waitFor('its end', async () => {
        const gone = await vault.vault.request('PUT', 'auth/approle/role/agent/secret-id/lookup', {
          secret_id: id,
        });
        return gone.body.data === undefined;
      });
      await loseToken(night);
    },
    says: /invalid (?:role or )?secret id|refused with 40[03].*secret id/i,
    mends: giveSecretId,
  },
  {
    ...common,
    name: 'the role is removed',
    auth: appRole(kept),
    breaks: async (night) => {
      await night.vault.ask('DELETE', 'auth/approle/role/agent');
      await loseToken(night);
    },
    says: /invalid role|role id/i,
    mends: async ({ vault, write }) => {
      const { roleId, secretId } = await vault.createAppRole('agent', { token_policies: 'agent' });
      write('role-id', roleId);
      write('secret-id', secretId);
    },
  },
  {
    ...common,
    name: 'somebody else has unwrapped the secret id',
    auth: async (vault, at) => {
      const auth = await appRole({ secret_id_wrapped: true })(vault, at);
      writeFileSync(at('secret-id'), await wrapped(vault));
      return auth;
    },
    breaks: async (night) => {
      const token = await wrapped(night.vault);
      await night.vault.ask('PUT', 'sys/wrapping/unwrap', { token });
      night.write('secret-id', token);
      await loseToken(night);
    },
    says: /unwrapped|wrapping token/,
    mends: async ({ vault, write }) => write('secret-id', await wrapped(vault)),
  },
];

async function wrapped(vault: TestVault): Promise<string> {
  const headers = { 'X-Vault-Wrap-TTL': '1h', 'X-Vault-Token': vault.rootToken };
  const url = `${vault.address}/v1/auth/approle/role/agent/secret-id`;
  const answer = await fetch(url, { method: 'POST', headers, body: '{}' });
  return ((await answer.json()) as { wrap_info: { token: string } }).wrap_info.token;
}

runNight(rows);

/** Between the vault and a database, so that the one can be away for the other. */
function openWay(port: number) {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    const other = connect(port, '127.0.0.1');
    for (const one of [socket, other]) {
      sockets.add(one);
      one.on('error', () => undefined).on('close', () => sockets.delete(one));
    }
    socket.pipe(other).pipe(socket);
  });
  const listen = (at: number) => new Promise<void>((done) => server.listen(at, '127.0.0.1', done));
  return {
    listen,
    port: () => (server.address() as { port: number }).port,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise<void>((done) => server.close(() => done()));
    },
  };
}

t.test('the database is down and the credential is gone', async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  const way = openWay(postgres.port);
  await way.listen(0);
  const port = way.port();
  t.teardown(way.close);
  const vault = await startDevVault(t);
  const database = await mountDatabase(vault, { ...postgres, port }, { defaultTtl: '40s', maxTtl: '24h' });
  await vault.writeSecret('secret/app', { word: 'first' });
  const folder = testFolder(t);
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: { db: { path: 'database/creds/app' }, app: { path: 'secret/app', refresh: '300ms' } },
      files: [
        { contents: '{{ field "db" "username" }} {{ field "db" "password" }}', destination: `${folder}/db` },
        { contents: '{{ field "app" "word" }}', destination: `${folder}/other` },
      ],
    },
  });
  await agent.untilReady();
  const login = async () => {
    const [user = '', password = ''] = (read(`${folder}/db`) ?? '').split(' ');
    await queryPostgres(postgres, 'select 1', [], { user, password });
  };
  await login();
  const before = agent.log().length;
  const [lease = ''] = await database.leases();
  await vault.ask('PUT', 'sys/leases/revoke', { lease_id: `database/creds/app/${lease}` });
  await way.close();
  await agent.ask('/refresh?name=db', { method: 'POST' });
  const why = await waitFor('the cause', async () => {
    const { text } = await agent.ask('/explain?subject=db');
    return /ECONNREFUSED|connection refused/i.test(text) ? text : undefined;
  });
  t.match(why, /database\/creds\/app/);
  await vault.writeSecret('secret/app', { word: 'second' });
  await waitFor('the rest goes on', () => read(`${folder}/other`) === 'second');
  await way.listen(port);
  await waitFor(
    'it recovers',
    () =>
      login().then(
        () => true,
        () => false,
      ),
    90_000,
  );
  await agent.untilReady();
  const loud = agent
    .log()
    .slice(before)
    .split('\n')
    .filter((line) => /"level":[45]0/.test(line));
  t.ok(loud.length <= 5, `${loud.length} lines: ${loud.join('\n')}`);
});
