import t from 'tap';
import { createAccounts } from '../../../src/files/disk/accounts.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

t.test('a number needs no account, a name does', (t) => {
  const accounts = createAccounts({
    clock: createFakeClock(),
    findUser: () => undefined,
    findGroup: () => undefined,
  });
  t.equal(accounts.uid('12345', 'files[0].owner'), 12345);
  t.throws(() => accounts.uid('app', 'files[0].owner'), {
    code: 'file_failed',
    message: 'files[0].owner: no user named "app" on this host',
  });
  t.throws(() => accounts.gid('app', 'files[0].group'), { message: /no group named "app"/ });
  t.end();
});

t.test('knows the accounts of this host', (t) => {
  t.equal(createAccounts({ clock: createFakeClock() }).uid('root', 'x'), 0);
  t.end();
});

t.test('notices within a second that an account is another one, or gone', async (t) => {
  const clock = createFakeClock();
  let uid: number | undefined = 7;
  let asked = 0;
  const accounts = createAccounts({
    clock,
    findUser: () => {
      asked += 1;
      return uid === undefined ? undefined : { uid };
    },
  });
  for (let file = 0; file < 1000; file += 1) accounts.uid('app', 'x');
  t.equal(asked, 1);
  uid = undefined;
  await clock.advance(1001);
  t.throws(() => accounts.uid('app', 'x'), { code: 'file_failed' });
});
