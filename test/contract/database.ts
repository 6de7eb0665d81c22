import { setTimeout as delay } from 'node:timers/promises';
import type { Postgres } from '@latchkey/devvault/postgres/postgres.ts';
import t, { type Test } from 'tap';
import { type ContractServer, contract } from '../support/contract-server.ts';
import { queryPostgres, startPostgres } from '../support/postgres.ts';

const creation = `CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{{name}}";`;

const postgres = await startPostgres(t);
if (postgres !== undefined) run(postgres);

function run(postgres: Postgres): void {
  const configure = async (t: Test, server: ContractServer): Promise<void> => {
    t.equal((await server.ask('POST', 'sys/mounts/database', { data: { type: 'database' } })).status, 204);
    const config = {
      plugin_name: 'postgresql-database-plugin',
      connection_url: `postgresql://{{username}}:{{password}}@127.0.0.1:${postgres.port}/postgres?sslmode=disable`,
      username: postgres.user,
      password: postgres.password,
      allowed_roles: 'app,short,fixed-*,broken',
    };
    t.equal((await server.ask('POST', 'database/config/main', { data: config })).status, 204);
  };
  const role = (server: ContractServer, name: string, data: object = {}) =>
    server.ask('POST', `database/roles/${name}`, {
      data: { db_name: 'main', creation_statements: [creation], default_ttl: '10m', max_ttl: '20m', ...data },
    });
  const canLogIn = (login: { username: string; password: string }): Promise<boolean> =>
    queryPostgres(postgres, 'select 1', [], { user: login.username, password: login.password }).then(
      () => true,
      () => false,
    );
  const exists = async (name: string): Promise<boolean> =>
    (await queryPostgres(postgres, 'select 1 from pg_roles where rolname = $1', [name])).length > 0;
  const until = async (check: () => Promise<boolean>): Promise<boolean> => {
    const deadline = Date.now() + 60_000;
    while (Date.now() < deadline) {
      if (await check()) return true;
      await delay(100);
    }
    return false;
  };

  contract('a database credential is a real role, renewed and revoked', async (t, server) => {
    await configure(t, server);
    t.equal((await role(server, 'app')).status, 204);
    const { body } = await server.ask('GET', 'database/creds/app');
    t.match(body, { renewable: true, lease_duration: 600 });
    t.match(body.lease_id, /^database\/creds\/app\//);
    t.match(body.data.username, /^v-token-app-\w{20}-\d+$/);
    t.ok(await canLogIn(body.data));
    const { lease_id } = body;
    t.match((await server.ask('POST', 'sys/leases/lookup', { data: { lease_id } })).body.data, {
      id: lease_id,
      renewable: true,
    });
    const renewed = await server.ask('POST', 'sys/leases/renew', { data: { lease_id, increment: 300 } });
    t.match(renewed.body, { lease_id, lease_duration: 300, renewable: true });
    const capped = await server.ask('PUT', `sys/leases/renew/${lease_id}`, { data: { increment: 7200 } });
    t.ok(capped.body.lease_duration <= 1200, 'not past the maximum');
    t.strictSame((await server.ask('LIST', 'sys/leases/lookup/database/creds/app')).body.data.keys.length, 1);
    t.equal((await server.ask('POST', 'sys/leases/revoke', { data: { lease_id } })).status, 204);
    t.notOk(await exists(body.data.username));
    t.strictSame((await server.ask('POST', 'sys/leases/renew', { data: { lease_id } })).body.errors, [
      'lease not found',
    ]);
    await server.ask('POST', 'sys/leases/lookup', { data: { lease_id } });
  });

  contract('a lease ends with its time, with its token, and with its prefix', async (t, server) => {
    await configure(t, server);
    await role(server, 'short', { default_ttl: '1s', max_ttl: '2s' });
    await role(server, 'app');
    const short = (await server.ask('GET', 'database/creds/short')).body;
    t.ok(await until(async () => !(await exists(short.data.username))), 'gone with its time');
    await server.ask('PUT', 'sys/policies/acl/app', {
      data: { policy: 'path "database/creds/app" { capabilities = ["read"] }' },
    });
    const token = (await server.ask('POST', 'auth/token/create', { data: { policies: ['app'] } })).body.auth
      .client_token;
    const own = (await server.ask('GET', 'database/creds/app', { token })).body;
    await server.ask('POST', 'auth/token/revoke', { data: { token } });
    t.ok(await until(async () => !(await exists(own.data.username))), 'gone with its token');
    const made = [
      (await server.ask('GET', 'database/creds/app')).body,
      (await server.ask('GET', 'database/creds/app')).body,
    ];
    t.equal((await server.ask('PUT', 'sys/leases/revoke-prefix/database/creds/app')).status, 204);
    for (const { data } of made) t.notOk(await exists(data.username));
    await server.ask('LIST', 'sys/leases/lookup/database/creds/app');
    const lazy = (await server.ask('GET', 'database/creds/app')).body;
    t.equal(
      (await server.ask('POST', 'sys/leases/revoke', { data: { lease_id: lazy.lease_id, sync: false } }))
        .status,
      202,
    );
    t.ok(await until(async () => !(await exists(lazy.data.username))), 'gone a little later');
    await server.ask('DELETE', 'sys/mounts/database');
  });

  contract(
    'roles and configurations are shown without passwords, and wrong ones refused',
    async (t, server) => {
      await configure(t, server);
      const shown = await server.ask('GET', 'database/config/main');
      t.notMatch(JSON.stringify(shown.body), postgres.password);
      await server.ask('LIST', 'database/config');
      await role(server, 'app');
      t.match((await server.ask('GET', 'database/roles/app')).body.data, {
        db_name: 'main',
        default_ttl: 600,
        max_ttl: 1200,
      });
      await server.ask('LIST', 'database/roles');
      t.strictSame((await server.ask('GET', 'database/creds/nobody')).body.errors, ['unknown role: nobody']);
      await role(server, 'unlisted');
      await server.ask('GET', 'database/creds/unlisted');
      await role(server, 'empty', { creation_statements: [] });
      await server.ask('POST', 'database/roles/nodb', { data: { creation_statements: [creation] } });
      await role(server, 'broken', { creation_statements: ['CREATE NONSENSE "{{name}}"'] });
      const broken = await server.ask('GET', 'database/creds/broken');
      t.equal(broken.status, 500);
      await server.ask('GET', 'database/roles/nothing');
      t.equal((await server.ask('DELETE', 'database/roles/app')).status, 204);
      await server.ask('POST', 'database/config/bad', { data: {} });
      const wrong = {
        plugin_name: 'postgresql-database-plugin',
        connection_url: 'postgresql://{{username}}:{{password}}@127.0.0.1:1/postgres',
        username: 'a',
        password: 'b',
      };
      t.equal(
        (await server.ask('POST', 'database/config/bad', { data: { ...wrong, verify_connection: false } }))
          .status,
        204,
      );
      t.equal((await server.ask('DELETE', 'database/config/bad')).status, 204);
      await server.ask('GET', 'database/config/bad');
    },
  );

  contract(
    'a credential that was taken away behind the vault cannot be renewed, but revoked',
    async (t, server) => {
      await configure(t, server);
      await role(server, 'app');
      const { lease_id, data } = (await server.ask('GET', 'database/creds/app')).body;
      await queryPostgres(postgres, `revoke all on all tables in schema public from "${data.username}"`);
      await queryPostgres(postgres, `drop role "${data.username}"`);
      t.equal((await server.ask('POST', 'sys/leases/renew', { data: { lease_id } })).status, 400);
      t.equal((await server.ask('POST', 'sys/leases/revoke', { data: { lease_id } })).status, 204);
      await role(server, 'app', { revocation_statements: ['DROP NONSENSE "{{name}}"'] });
      const stuck = (await server.ask('GET', 'database/creds/app')).body;
      t.equal(
        (await server.ask('POST', 'sys/leases/revoke', { data: { lease_id: stuck.lease_id } })).status,
        400,
      );
      t.equal((await server.ask('PUT', 'sys/leases/revoke-force/database/creds/app')).status, 204);
      await server.ask('POST', 'sys/leases/lookup', { data: { lease_id: stuck.lease_id } });
      await queryPostgres(postgres, `drop role "${stuck.data.username}"`);
    },
  );

  contract('a shortened role shortens its leases at the next renewal', async (t, server) => {
    await configure(t, server);
    await role(server, 'app');
    const { lease_id } = (await server.ask('GET', 'database/creds/app')).body;
    await role(server, 'app', { default_ttl: '2m', max_ttl: '3m' });
    t.ok(
      (await server.ask('POST', 'sys/leases/renew', { data: { lease_id, increment: 600 } })).body
        .lease_duration <= 180,
    );
    await server.ask('POST', 'sys/leases/revoke', { data: { lease_id } });
  });

  contract('a static role rotates, on its own and when asked', async (t, server) => {
    await configure(t, server);
    await queryPostgres(postgres, 'drop role if exists fixed_user');
    await queryPostgres(postgres, "create role fixed_user login password 'first'");
    t.equal(
      (
        await server.ask('POST', 'database/static-roles/fixed-app', {
          data: { db_name: 'main', username: 'fixed_user', rotation_period: '5s' },
        })
      ).status,
      204,
    );
    const read = async () => (await server.ask('GET', 'database/static-creds/fixed-app')).body.data;
    const first = await read();
    t.match(first, { username: 'fixed_user', rotation_period: 5 });
    t.ok(first.ttl <= 5);
    t.ok(await canLogIn(first));
    t.equal((await server.ask('POST', 'database/rotate-role/fixed-app')).status, 204);
    const second = await read();
    t.not(second.password, first.password);
    t.ok(await canLogIn(second));
    t.notOk(await canLogIn(first));
    const silent = { headers: { 'x-vault-token': 'contract-root' } };
    const look = async () =>
      (
        (await (await fetch(`${server.address}/v1/database/static-creds/fixed-app`, silent)).json()) as {
          data: { password: string };
        }
      ).data;
    const deadline = Date.now() + 60_000;
    while ((await look()).password === second.password && Date.now() < deadline) await delay(200);
    t.not((await look()).password, second.password, 'rotated by itself');
    await server.ask('GET', 'database/static-roles/fixed-app');
    await server.ask('LIST', 'database/static-roles');
    await server.ask('GET', 'database/static-creds/nobody');
    await server.ask('POST', 'database/rotate-role/nobody');
    await server.ask('POST', 'database/static-roles/fixed-bad', {
      data: { db_name: 'main', username: 'fixed_user' },
    });
    await server.ask('POST', 'database/static-roles/fixed-bad', {
      data: { db_name: 'main', username: 'fixed_user', rotation_period: '1s' },
    });
    t.equal((await server.ask('DELETE', 'database/static-roles/fixed-app')).status, 204);
  });

  contract('a token with one use left gets no lease', async (t, server) => {
    await configure(t, server);
    await role(server, 'app');
    await server.ask('PUT', 'sys/policies/acl/app', {
      data: { policy: 'path "database/creds/app" { capabilities = ["read"] }' },
    });
    const token = (
      await server.ask('POST', 'auth/token/create', { data: { policies: ['app'], num_uses: 1 } })
    ).body.auth.client_token;
    t.equal((await server.ask('GET', 'database/creds/app', { token })).status, 400);
  });
}
