import { readFileSync } from 'node:fs';
import t from 'tap';
import { findGroup, findUser, groupsOfUser } from '../../../src/base/system/accounts.ts';

t.test('finds a user by name and by uid', async (t) => {
  t.match(findUser('root'), { name: 'root', uid: 0, gid: 0 });
  t.match(findUser('0'), { name: 'root', uid: 0 });
});

t.test('finds a group by name and by gid', async (t) => {
  t.match(findGroup('root'), { name: 'root', gid: 0 });
  t.match(findGroup('0'), { name: 'root', gid: 0 });
});

t.test('finds the groups of a user, those of /etc/group too', async (t) => {
  t.strictSame(groupsOfUser('root').slice(0, 1), [0]);
  t.strictSame(groupsOfUser('no-such-user-here'), []);
  for (const line of readFileSync('/etc/group', 'utf8').trim().split('\n')) {
    const [group, , gid, members = ''] = line.split(':');
    const known = members.split(',').filter((member) => findUser(member) !== undefined);
    for (const member of known) t.ok(groupsOfUser(member).includes(Number(gid)), `${member} in ${group}`);
  }
});

t.test('tells that an account does not exist', async (t) => {
  t.equal(findUser('no-such-user-here'), undefined);
  t.equal(findGroup('no-such-group-here'), undefined);
  t.equal(findUser(''), undefined);
  t.equal(findUser('root:x'), undefined);
  t.equal(findUser('--help'), undefined);
});
