import { contract } from '../support/contract-server.ts';

contract('a user logs in with a password', async (t, server) => {
  await server.ask('POST', 'sys/auth/userpass', { data: { type: 'userpass' } });
  t.equal(
    (
      await server.ask('POST', 'auth/userpass/users/ann', {
        data: { password: 'pencil', token_policies: 'app', token_ttl: '10m' },
      })
    ).status,
    204,
  );
  const login = (password: string, name = 'ann') =>
    server.ask('POST', `auth/userpass/login/${name}`, { token: '', data: { password } });
  const { auth } = (await login('pencil')).body;
  t.match(auth, {
    policies: ['app', 'default'],
    lease_duration: 600,
    metadata: { username: 'ann' },
    orphan: true,
  });
  t.match((await server.ask('GET', 'auth/token/lookup-self', { token: auth.client_token })).body.data, {
    display_name: 'userpass-ann',
    path: 'auth/userpass/login/ann',
  });
  t.strictSame((await login('wrong')).body.errors, ['invalid username or password']);
  t.strictSame((await login('pencil', 'nobody')).body.errors, ['invalid username or password']);
  await login('');
  await server.ask('GET', 'auth/userpass/users/ann');
  await server.ask('LIST', 'auth/userpass/users');
  t.equal(
    (await server.ask('POST', 'auth/userpass/users/ann/password', { data: { password: 'brush' } })).status,
    204,
  );
  t.equal((await login('brush')).status, 200);
  t.equal(
    (await server.ask('POST', 'auth/userpass/users/ann/policies', { data: { token_policies: 'other' } }))
      .status,
    204,
  );
  t.strictSame((await login('brush')).body.auth.policies, ['default', 'other']);
  t.equal((await server.ask('DELETE', 'auth/userpass/users/ann')).status, 204);
  await server.ask('GET', 'auth/userpass/users/ann');
  await server.ask('POST', 'auth/userpass/users/bob', { data: { token_policies: 'a' } });
  await server.ask('POST', 'sys/auth/userpass/tune', {
    data: { default_lease_ttl: '5m', max_lease_ttl: '15m' },
  });
  await server.ask('POST', 'auth/userpass/users/cid', { data: { password: 'x' } });
  const plain = (await login('x', 'cid')).body.auth;
  t.equal(plain.lease_duration, 300);
  t.ok(
    (
      await server.ask('POST', 'auth/token/renew-self', {
        token: plain.client_token,
        data: { increment: '1h' },
      })
    ).body.auth.lease_duration <= 900,
  );
});
