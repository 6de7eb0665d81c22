import t from 'tap';
import { createAccess } from '../../src/access/access.ts';
import { type DescribedCaller, explainAccess } from '../../src/access/described-caller.ts';

const access = createAccess({
  rules: {
    rules: [
      { name: 'by-gid', client: { gid: 54_321 }, allow: ['x'], vault: [], admin: false },
      { name: 'by-exe', client: { exe: '/usr/bin/php' }, allow: ['x'], vault: [], admin: false },
      { name: 'by-token', client: { token: 'listeners[1]' }, allow: ['x'], vault: [], admin: false },
    ],
    strict: false,
  },
  accounts: { uidOf: () => undefined, gidOf: () => undefined },
  ownUid: 4000,
});
const ruleFor = (described: DescribedCaller) =>
  explainAccess(access, described, { kind: 'secret', name: 'x' }).decision.rule;

t.test('what is named decides, what is not named is as of nobody', (t) => {
  t.equal(ruleFor({ gid: 54_321 }), 'by-gid');
  t.equal(ruleFor({ uid: 54_321 }), undefined, 'a uid is no gid');
  t.equal(ruleFor({ groups: ['54321'] }), 'by-gid');
  t.equal(ruleFor({ exe: '/usr/bin/php' }), 'by-exe');
  t.equal(ruleFor({ token: 'listeners[1]' }), 'by-token');
  t.throws(() => ruleFor({}), { code: 'usage' });
  t.throws(() => ruleFor({ user: 'no-such-user' }), { code: 'usage' });
  t.throws(() => ruleFor({ groups: ['no-such-group'] }), { code: 'usage' });
  t.end();
});
