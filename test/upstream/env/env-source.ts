import t from 'tap';
import { startKindSource } from '../../support/kind-source.ts';

const env = { APP_USER: 'joe', APP_DB: '{"user":"ann","port":5432}', OTHER: 'x', APP_: 'bare' };

t.test('variables are secrets, and those of a prefix are one', async (t) => {
  const up = await startKindSource(t, { kind: 'env', prefix: 'APP_' }, { env });
  t.same(await up.fields('USER'), { value: 'joe' });
  t.same(await up.fields('DB'), { user: 'ann', port: 5432 });
  t.match(await up.fields('/'), { USER: 'joe', DB: '{"user":"ann","port":5432}' });
  await t.rejects(up.read('OTHER'), { code: 'not_found', message: /no variable APP_OTHER/ });
  t.equal(await up.isCurrent('USER', await up.read('USER')), true);
});

t.test('the whole environment is never one secret', async (t) => {
  const up = await startKindSource(t, { kind: 'env' }, { env });
  t.same(await up.fields('OTHER'), { value: 'x' });
  await t.rejects(up.read('/'), { code: 'request_invalid', message: /the whole environment is no secret/ });
  await t.rejects(up.read('toString'), { code: 'not_found' });
});
