import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findProgram, launchWords, resolveIdentity } from '../../../src/supervise/launch/launcher.ts';
import { needsRoot } from '../../support/needs-root.ts';

const own = { user: undefined, groupId: undefined };
const other = {
  user: { name: 'app', uid: 4711, gid: 4712, home: '/', shell: '/bin/sh' },
  groupId: undefined,
};

t.test('every child dies with the agent and gains no privileges', async (t) => {
  t.strictSame(launchWords(['a', 'b c'], own, 'full'), [
    ...['setpriv', '--no-new-privs', '--pdeathsig', 'KILL', '--', 'a', 'b c'],
  ]);
});

t.test('without setpriv the own user still works', async (t) => {
  t.strictSame(launchWords(['a'], own, 'missing'), ['a']);
});

t.test('without setpriv another user is refused', { skip: needsRoot }, async (t) => {
  t.throws(() => launchWords(['a'], other, 'missing'), {
    code: 'process_failed',
    message: /needs setpriv, which this host lacks/,
  });
});

t.test('takes on the user with all ids and groups', { skip: needsRoot }, async (t) => {
  const words = launchWords(['a'], other, 'full').join(' ');
  t.match(words, '--reuid 4711 --regid 4712 --init-groups --inh-caps=-all --no-new-privs');
  t.match(launchWords(['a'], { ...other, groupId: 5 }, 'full').join(' '), '--reuid 4711 --regid 5');
});

t.test('tells which account does not exist', async (t) => {
  t.throws(() => resolveIdentity('no-such-user', undefined), {
    code: 'process_failed',
    message: /no user no-such-user/,
  });
  t.throws(() => resolveIdentity(undefined, 'no-such-group'), {
    code: 'process_failed',
    message: /no group no-such-group/,
  });
  t.strictSame(resolveIdentity(undefined, undefined), own);
});

t.test('finds a program as execvp does', async (t) => {
  const folder = t.testdir({ a: { plain: 'x' }, b: {} });
  const program = join(folder, 'b', 'plain');
  writeFileSync(program, '#!/bin/sh\n');
  chmodSync(program, 0o755);
  t.equal(
    findProgram('plain', `${folder}/a:${folder}/b`, undefined),
    program,
    'what is not executable is passed over',
  );
  t.equal(findProgram('./plain', '/none', join(folder, 'b')), program);
  t.equal(findProgram(program, '', undefined), program);
  t.throws(() => findProgram('plain', `${folder}/a`, undefined), { code: 'process_failed' });
  t.throws(() => findProgram(join(folder, 'a/plain'), '', undefined), { message: /is not executable/ });
  t.throws(() => findProgram(join(folder, 'b'), '', undefined), { message: /is not executable/ });
  t.throws(() => findProgram('/no/such', '', undefined), { message: '/no/such does not exist' });
});
