import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findProgram, planLaunch, resolveIdentity } from '../../../src/supervise/launch/launcher.ts';
import { needsRoot } from '../../support/needs-root.ts';

const own = { user: undefined, groupId: undefined };
const other = {
  user: { name: 'app', uid: 4711, gid: 4712, home: '/', shell: '/bin/sh' },
  groupId: undefined,
};
const setpriv = '/usr/bin/setpriv';
const env = { PATH: '/home/app/bin', LD_PRELOAD: '/home/app/x.so', 'a.b-c': 'canary value' };

t.test('every child dies with the agent and gains no privileges', async (t) => {
  t.strictSame(planLaunch(['a', 'b c'], env, own, setpriv), {
    words: [setpriv, '--no-new-privs', '--pdeathsig', 'KILL', '--', 'a', 'b c'],
    env,
  });
});

t.test('without setpriv the own user still works', async (t) => {
  t.strictSame(planLaunch(['a'], env, own, undefined), { words: ['a'], env });
});

t.test('without setpriv another user is refused', { skip: needsRoot }, async (t) => {
  t.throws(() => planLaunch(['a'], env, other, undefined), {
    code: 'process_failed',
    message: /needs setpriv, which this host lacks/,
  });
});

t.test('takes on the user with all ids and groups', { skip: needsRoot }, async (t) => {
  const words = planLaunch(['a'], env, other, setpriv).words.join(' ');
  t.match(words, `${setpriv} --reuid 4711 --regid 4712 --init-groups --inh-caps=-all --no-new-privs`);
  t.match(
    planLaunch(['a'], env, { ...other, groupId: 5 }, setpriv).words.join(' '),
    '--reuid 4711 --regid 5',
  );
  t.match(
    planLaunch(['a'], env, { user: undefined, groupId: 5 }, setpriv).words.join(' '),
    '--regid 5 --clear-groups',
  );
});

t.test(
  'the environment of another user is in no argument and not there before the drop',
  { skip: needsRoot },
  async (t) => {
    const launch = planLaunch(['a'], env, other, setpriv);
    t.strictSame(launch.env, {});
    t.notMatch(launch.words.join('\n'), /canary|LD_PRELOAD|home/);
    t.strictSame(JSON.parse(launch.handover?.text ?? ''), {
      words: [setpriv, '--no-new-privs', '--pdeathsig', 'KILL', '--', 'a'],
      env,
    });
  },
);

t.test('what no kernel starts is told before', { skip: needsRoot }, async (t) => {
  const long = {
    message: /too long for the kernel: environment and arguments have .*; the longest is the variable V10 /,
  };
  t.throws(() => planLaunch(['a'], { LONG: 'x'.repeat(131_072) }, other, setpriv), {
    message: /too long for the kernel: the variable LONG has 131077 bytes/,
  });
  t.throws(() => planLaunch(['x'.repeat(131_072)], {}, other, setpriv), {
    message: /an argument has 131072/,
  });
  const many = Object.fromEntries(
    Array.from({ length: 20 }, (_, index) => [`V${index}`, 'x'.repeat(120_000)]),
  );
  t.throws(() => planLaunch(['a'], many, other, setpriv), long);
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
