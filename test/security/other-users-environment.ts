// A program of another user: nothing of its environment is in force while anything runs as root.
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '../../src/base/logger.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { probeSetpriv } from '../../src/base/system/setpriv.ts';
import { createSystemClock } from '../../src/base/time/clock.ts';
import { startProcess } from '../../src/supervise/launch/start-process.ts';
import { needsRoot } from '../support/needs-root.ts';
import { nobody } from '../support/other-user.ts';
import { processConfig } from '../support/test-environment.ts';
import { testFolder } from '../support/test-folder.ts';

const skip = needsRoot !== false ? needsRoot : (await probeSetpriv()) === undefined ? 'needs setpriv' : false;
const system = '/usr/bin:/bin';

async function run(
  t: Test,
  command: readonly string[],
  variables: Record<string, string>,
  user: string | false = 'nobody',
): Promise<{ code: number | null; lines: string[]; pid: number }> {
  const lines: string[] = [];
  const logger = { ...silentLogger, info: (_: unknown, line: string) => void lines.push(line) };
  const child = await startProcess(
    processConfig({ user: user === false ? undefined : user, command }),
    new Map(Object.entries(variables).map(([name, value]) => [name, SecretValue.fromText(value)])),
    { clock: createSystemClock(), logger, env: {}, random: Math.random, valuesInUse: () => [] },
  );
  t.teardown(() => child.signalGroup('SIGKILL'));
  // The pipes of a program that has ended do not hold the process, and nothing else does here.
  const alive = setInterval(() => undefined, 1000);
  const { code } = await child.exited;
  await child.outputEnded;
  clearInterval(alive);
  return { code, lines, pid: child.pid };
}

/** A folder of the other user's own. */
function theirFolder(t: Test): string {
  const folder = testFolder(t);
  chownSync(folder, nobody, nobody);
  return folder;
}

function plant(folder: string, name: string, script: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, name), 0o755);
  chownSync(join(folder, name), nobody, nobody);
}

t.test("programs of the launcher's names in the user's PATH are not executed", { skip }, async (t) => {
  const folder = theirFolder(t);
  mkdirSync(join(folder, 'bin'));
  for (const name of ['setpriv', 'sh', 'env', 'setsid', 'node', 'script']) {
    plant(join(folder, 'bin'), name, `/usr/bin/id -u >> ${folder}/planted`);
  }
  const { code, lines } = await run(t, ['id', '-u'], { PATH: `${join(folder, 'bin')}:${system}` });
  t.equal(code, 0);
  t.strictSame(lines, [String(nobody)]);
  t.notOk(existsSync(join(folder, 'planted')), 'none of them ran');
});

t.test('the dynamic loader obeys its variables as the user only', { skip }, async (t) => {
  const folder = theirFolder(t);
  const variables = {
    PATH: system,
    LD_DEBUG: 'files',
    LD_DEBUG_OUTPUT: join(folder, 'loader'),
    LD_LIBRARY_PATH: folder,
  };
  const { code } = await run(t, ['id', '-u'], variables);
  t.equal(code, 0);
  // The loader writes to loader.PID in each program that it loads, and the pid is the same from the first to the last.
  const written = readdirSync(folder);
  t.not(written.length, 0, 'in the program itself it is obeyed');
  for (const name of written)
    t.equal(statSync(join(folder, name)).uid, nobody, `${name} was made by the user`);
  t.notMatch(
    readFileSync(join(folder, written[0] ?? ''), 'utf8'),
    /initialize program: .*node/,
    'Node had none of it',
  );
});

t.test(
  'what is said to Node in the environment reaches the program, not what starts it',
  { skip },
  async (t) => {
    const folder = theirFolder(t);
    writeFileSync(
      join(folder, 'mine.cjs'),
      `require('node:fs').appendFileSync(${JSON.stringify(`${folder}/ran`)}, 'x')`,
    );
    const { code, lines } = await run(
      t,
      ['sh', '-c', `test "$NODE_OPTIONS" = "--require=${folder}/mine.cjs" && echo as said`],
      {
        PATH: system,
        NODE_OPTIONS: `--require=${folder}/mine.cjs`,
      },
    );
    t.equal(code, 0);
    t.strictSame(lines, ['as said']);
    t.notOk(existsSync(join(folder, 'ran')));
  },
);

t.test('the program gets its environment to the letter, and nothing else', { skip }, async (t) => {
  const file = join(theirFolder(t), 'environ');
  const variables = {
    PATH: system,
    'name.with-dots': 'a',
    '1st': 'b',
    EMPTY: '',
    QUOTES: `'"$(id)\`id\`\\`,
    LINES: 'one\ntwo\n\n',
    UNICODE: 'grüße 🔑\u2028',
    IFS: 'x',
    OPTIND: 'no number',
  };
  const command = ['dd', 'if=/proc/self/environ', `of=${file}`, 'status=none'];
  t.equal((await run(t, command, variables)).code, 0);
  const pairs = readFileSync(file, 'utf8').split('\0').slice(0, -1);
  const expected = { ...variables, HOME: '', USER: 'nobody', LOGNAME: 'nobody', SHELL: '' };
  t.strictSame(pairs.map((pair) => pair.slice(0, pair.indexOf('='))).sort(), Object.keys(expected).sort());
  for (const [name, value] of Object.entries(variables)) t.ok(pairs.includes(`${name}=${value}`), name);
});

t.test('signals, descriptors and session are as for any program', { skip }, async (t) => {
  // Read by the shell itself: while it starts another program it blocks signals.
  const signals = 'while read -r line; do case $line in Sig*) echo "$line";; esac; done < /proc/$$/status';
  const script = `${signals}; ls /proc/self/fd; echo $$ $(cut -d" " -f5,6 /proc/$$/stat)`;
  const theirs = await run(t, ['sh', '-c', script], { PATH: system });
  const ours = await run(t, ['sh', '-c', script], { PATH: system }, false);
  const text = theirs.lines.join('\n');
  t.match(text, /SigIgn:\s0+\n/, 'nothing is ignored, SIGPIPE neither');
  t.match(text, /SigBlk:\s0+\n/);
  t.strictSame(theirs.lines.slice(5, -1), ours.lines.slice(5, -1), 'no more descriptors than any child has');
  const { pid } = theirs;
  t.equal(
    theirs.lines.at(-1),
    `${pid} ${pid} ${pid}`,
    'the pid is the program itself, leader of its session',
  );
});

t.test('a missing program ends with 127, one that may not be executed with 126', { skip }, async (t) => {
  const folder = theirFolder(t);
  mkdirSync(join(folder, 'private'), { mode: 0o700 });
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, 'private/tool'), '#!/bin/sh\n', { mode: 0o755 });
  const { code } = await run(t, [join(folder, 'private/tool')], { PATH: system });
  t.equal(code, 126, 'root reaches it, the user does not');
  plant(folder, 'broken', '');
  writeFileSync(join(folder, 'broken'), '#!/no/such/interpreter\n');
  t.equal((await run(t, [join(folder, 'broken')], { PATH: system })).code, 127);
  await t.rejects(run(t, ['no-such-program'], { PATH: system }), {
    message: /there is no program no-such-program/,
  });
});

t.test("the look-up in PATH is the user's own", { skip }, async (t) => {
  const folder = theirFolder(t);
  mkdirSync(join(folder, 'roots'), { mode: 0o700 });
  mkdirSync(join(folder, 'theirs'));
  writeFileSync(join(folder, 'roots/tool'), '#!/bin/sh\necho wrong\n', { mode: 0o755 });
  plant(join(folder, 'theirs'), 'tool', 'echo right');
  const { lines } = await run(t, ['tool'], { PATH: `${folder}/roots:${folder}/theirs:${system}` });
  t.strictSame(lines, ['right'], 'what only root can reach is passed over, as a shell of the user would');
});

t.test('a program without a first line is given to the shell, as ever', { skip }, async (t) => {
  const folder = theirFolder(t);
  writeFileSync(join(folder, 'old'), 'echo "old style $1"\n', { mode: 0o755 });
  const { lines } = await run(t, [join(folder, 'old'), 'works'], { PATH: system });
  t.strictSame(lines, ['old style works']);
});
