import { contract } from '../support/contract-server.ts';

contract('an answer is wrapped, looked at, and opened once by its token', async (t, server) => {
  await server.ask('POST', 'secret/data/app', { data: { data: { key: 'value' } } });
  const { wrap_info } = (await server.ask('GET', 'secret/data/app', { wrapTtl: '5m' })).body;
  t.match(wrap_info, { ttl: 300, creation_path: 'secret/data/app' });
  const looked = await server.ask('POST', 'sys/wrapping/lookup', {
    token: '',
    data: { token: wrap_info.token },
  });
  t.match(looked.body.data, { creation_ttl: 300, creation_path: 'secret/data/app' });
  const opened = await server.ask('POST', 'sys/wrapping/unwrap', { token: wrap_info.token });
  t.strictSame(opened.body.data.data, { key: 'value' });
  t.strictSame((await server.ask('POST', 'sys/wrapping/unwrap', { token: wrap_info.token })).status, 400);
  await server.ask('POST', 'sys/wrapping/lookup', { token: '', data: { token: wrap_info.token } });
});

contract('another token opens what is wrapped, and it is gone then', async (t, server) => {
  const { wrap_info } = (
    await server.ask('POST', 'sys/wrapping/wrap', { wrapTtl: '60', data: { a: 1, b: 'two' } })
  ).body;
  t.strictSame(
    (await server.ask('POST', 'sys/wrapping/unwrap', { data: { token: wrap_info.token } })).body.data,
    { a: 1, b: 'two' },
  );
  t.equal(
    (await server.ask('POST', 'sys/wrapping/unwrap', { data: { token: wrap_info.token } })).status,
    400,
  );
  await server.ask('POST', 'sys/wrapping/unwrap', { data: { token: 'nonsense' } });
  await server.ask('POST', 'sys/wrapping/wrap', { data: { a: 1 } });
});

contract('wrapping moves to a fresh token, and the old one is dead', async (t, server) => {
  const { wrap_info } = (await server.ask('POST', 'sys/wrapping/wrap', { wrapTtl: '90s', data: { a: 1 } }))
    .body;
  const again = (await server.ask('POST', 'sys/wrapping/rewrap', { data: { token: wrap_info.token } })).body
    .wrap_info;
  t.match(again, { ttl: 90, creation_path: 'sys/wrapping/wrap' });
  t.equal((await server.ask('POST', 'sys/wrapping/unwrap', { token: wrap_info.token })).status, 400);
  t.strictSame((await server.ask('POST', 'sys/wrapping/unwrap', { token: again.token })).body.data, { a: 1 });
});

contract('a login and a token creation are wrapped with their accessor', async (t, server) => {
  const created = (
    await server.ask('POST', 'auth/token/create', { wrapTtl: '60s', data: { policies: ['default'] } })
  ).body;
  t.ok(created.wrap_info.wrapped_accessor);
  const { auth } = (await server.ask('POST', 'sys/wrapping/unwrap', { token: created.wrap_info.token })).body;
  t.equal(auth.accessor, created.wrap_info.wrapped_accessor);
  t.equal((await server.ask('GET', 'auth/token/lookup-self', { token: auth.client_token })).status, 200);
  await server.ask('GET', 'secret/data/nothing', { wrapTtl: '60s' });
  await server.ask('GET', 'secret/data/app', { wrapTtl: 'nonsense' });
});

contract("a cubbyhole is its token's own", async (t, server) => {
  const make = async (): Promise<string> =>
    (await server.ask('POST', 'auth/token/create', { data: { policies: ['default'] } })).body.auth
      .client_token;
  const [first, second] = [await make(), await make()];
  t.equal((await server.ask('POST', 'cubbyhole/a', { token: first, data: { x: '1' } })).status, 204);
  t.strictSame((await server.ask('GET', 'cubbyhole/a', { token: first })).body.data, { x: '1' });
  t.equal((await server.ask('GET', 'cubbyhole/a', { token: second })).status, 404);
  t.strictSame((await server.ask('LIST', 'cubbyhole', { token: first })).body.data.keys, ['a']);
  await server.ask('DELETE', 'cubbyhole/a', { token: first });
  await server.ask('LIST', 'cubbyhole', { token: first });
});
