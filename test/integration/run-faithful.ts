// `latchkey run -- CMD` as a wrapper that changes nothing of what it wraps: words, signals, terminal, output, exit codes.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { program, runProgram, startProgram } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { isAlive, readWhenThere } from '../support/test-environment.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

async function setUp(t: Test, process: Record<string, unknown> | undefined, rest: object = {}) {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'first-word', nul: 'a\u0000b', text: 'no number' });
  const config = join(folder, 'run.yaml');
  writeFileSync(
    config,
    JSON.stringify({
      upstreams: {
        vault: { kind: 'vault', address: vault.address, events: false, auth: { method: 'token' } },
      },
      secrets: { app: { path: 'secret/app', refresh: '200ms' } },
      processes: process === undefined ? [] : [{ name: 'app', command: ['true'], ...process }],
      state_dir: join(folder, 'state'),
      ...rest,
    }),
    { mode: 0o600 },
  );
  const env = { VAULT_TOKEN: vault.rootToken };
  const words = (...command: string[]) => ['run', '--config', config, ...command];
  return {
    folder,
    vault,
    env,
    words,
    run: (...command: string[]) => runProgram(t, words('--', ...command), { env }),
  };
}

t.test('arguments come out byte for byte', async (t) => {
  const { run } = await setUp(t, undefined);
  const odd = [
    ...['1.10', '2.0', '1e3', '12e4', '0x1F', '0xdeadbeef', '-0', '-1.50', '.5', '5.', '007', '+1', '1_000'],
    ...[
      '',
      ' ',
      '--',
      '-',
      '--flag=1.0',
      "'quoted'",
      '"q"',
      'a=b',
      '--no-x',
      '-abc',
      '--a.b=1',
      'true',
      'null',
    ],
    ...[
      '--config',
      'x',
      '--help',
      '--version',
      'é\n',
      '$HOME',
      '\\',
      '99999999999999999999',
      'NaN',
      'Infinity',
    ],
  ];
  const { stdout, code } = await run('printf', '[%s]\\n', ...odd);
  t.strictSame([code, stdout], [0, odd.map((word) => `[${word}]\n`).join('')]);
});

t.test('a program that a rotation meets goes on, unless it is asked otherwise', async (t) => {
  const script = (folder: string) =>
    `echo "begin $W" >> ${folder}/seen; while [ ! -e ${folder}/go ]; do sleep 0.02; done; echo end >> ${folder}/seen`;
  for (const [what, own, flags, restarts] of [
    ['by default', {}, [], false],
    ['with --watch', {}, ['--watch'], true],
    ['with on_rotation written', { on_rotation: 'restart' }, [], true],
  ] as const) {
    const env = { W: '{{ field "app" "word" }}' };
    const scene = await setUp(t, { env, ...own });
    const { folder, vault } = scene;
    const seen = () => readWhenThere(join(folder, 'seen')) ?? '';
    const running = startProgram(t, scene.words(...flags, '--', 'sh', '-c', script(folder)), {
      env: scene.env,
    });
    await waitFor('the program', () => seen().includes('begin first-word'));
    await vault.writeSecret('secret/app', { word: 'second-word' });
    if (restarts) await waitFor('the program again', () => seen().includes('begin second-word'));
    else {
      const before = vault.countRequests(/secret\/\w+\/app/);
      await waitFor('reads of the new value', () => vault.countRequests(/secret\/\w+\/app/) > before + 2);
    }
    writeFileSync(join(folder, 'go'), '');
    t.match(await running.exited, { code: 0, stderr: '' }, what);
    t.equal(
      seen(),
      restarts ? 'begin first-word\nbegin second-word\nend\n' : 'begin first-word\nend\n',
      what,
    );
  }
});

t.test('of the programs in the config it runs the one that is asked for', async (t) => {
  const { folder, env, vault } = await setUp(t, undefined);
  const config = join(folder, 'several.yaml');
  const ran = (name: string) => join(folder, `${name}.ran`);
  writeFileSync(
    config,
    JSON.stringify({
      upstreams: {
        vault: { kind: 'vault', address: vault.address, events: false, auth: { method: 'token' } },
      },
      secrets: { app: { path: 'secret/app' } },
      files: [
        {
          contents: '{{ field "app" "word" }}',
          destination: join(folder, 'file'),
          notify: { signal: 'HUP', process: 'worker' },
        },
      ],
      processes: ['worker', 'job'].map((name) => ({
        name,
        command: ['sh', '-c', `echo $W > ${ran(name)}`],
        env: { W: `{{ field "app" "word" }}` },
      })),
      state_dir: join(folder, 'state'),
    }),
    { mode: 0o600 },
  );
  const run = (...more: string[]) => runProgram(t, ['run', '--config', config, ...more], { env });
  t.match(await run('--', 'sh', '-c', `echo "[$W]"`), { code: 0, stdout: '[]\n', stderr: '' });
  t.match(await run('--process', 'job', '--', 'sh', '-c', `echo "[$W]"`), {
    code: 0,
    stdout: '[first-word]\n',
    stderr: '',
  });
  t.strictSame(
    ['worker', 'job'].map((name) => existsSync(ran(name))),
    [false, false],
  );
  t.match(await run('--process', 'job'), { code: 0, stderr: '' });
  t.strictSame(
    ['worker', 'job'].map((name) => existsSync(ran(name))),
    [false, true],
  );
  t.ok(existsSync(join(folder, 'file')), 'whose reader is not here is nobody to be told');
});

t.test('exit codes are those of a shell, and a failing program is no failure of ours', async (t) => {
  const { run, folder } = await setUp(t, undefined);
  for (const [script, code] of [
    ['exit 0', 0],
    ['exit 3', 3],
    ['kill -TERM $$', 143],
  ] as const) {
    t.match(await run('sh', '-c', script), { code, stdout: '', stderr: '' }, script);
  }
  const plain = join(folder, 'plain');
  writeFileSync(plain, 'text', { mode: 0o644 });
  t.match(await run('no-such-program'), {
    code: 127,
    stderr: /^latchkey: there is no program no-such-program/,
  });
  t.match(await run(join(folder, 'gone')), { code: 127, stderr: /does not exist/ });
  t.match(await run(plain), { code: 126, stderr: /is not executable/ });
  const tooMuch = await setUp(t, { env: { BIG: `{{ field "app" "word" }}{{ sprig_repeat 140000 "x" }}` } });
  const big = await tooMuch.run('true');
  t.match(big, {
    code: 126,
    stderr: /^latchkey: cannot start \S*\/true \(E2BIG\); the variable BIG has 1\d{5} bytes/,
  });
  t.equal(big.stderr.trimEnd().split('\n').length, 1, 'told once');
});

t.test('what waiting does not mend ends it at once, with its own code', async (t) => {
  for (const [what, template, code, says] of [
    ['a field that is not there', '{{ field "app" "missing" }}', 1, /missing/],
    ['a NUL', '{{ field "app" "nul" }}', 1, /NUL/],
    ['a text that is no number', '{{ field "app" "text" | parseInt }}', 1, /parseInt/],
    ['a secret that is not there', '{{ with secret "secret/none" }}{{ .Data.x }}{{ end }}', 4, /none/],
  ] as const) {
    const { run } = await setUp(t, { env: { X: template } });
    const begin = performance.now();
    const ended = await run('true');
    t.match(ended, { code, stderr: says }, what);
    t.ok(performance.now() - begin < 20_000, `${what}: long before the minute of --timeout`);
  }
});

t.test('output: log is seen, masked', async (t) => {
  const { run } = await setUp(t, { output: 'log', env: { W: '{{ field "app" "word" }}' } });
  const ended = await run('sh', '-c', 'echo "out $W"; echo "err $W" >&2; exit 4');
  t.strictSame([ended.code, ended.stdout, ended.stderr], [4, 'out [redacted]\n', 'err [redacted]\n']);
});

t.test('a TERM to run has the time of stop.timeout, and no more', async (t) => {
  const scene = await setUp(t, { stop: { timeout: '1s' } });
  const file = join(scene.folder, 'pid');
  const stubborn = `trap '' TERM; echo $$ > ${file}; while :; do sleep 0.05; done`;
  const running = startProgram(t, scene.words('--', 'sh', '-c', stubborn), { env: scene.env });
  const pid = Number(await waitFor('the program', () => readWhenThere(file)?.trim()));
  running.child.kill('SIGTERM');
  t.match(await running.exited, { code: 137 });
  t.notOk(isAlive(pid));
});

t.test('stop.group asks the program behind a script too, and gives it the time', async (t) => {
  const scene = await setUp(t, { stop: { timeout: '10s', group: true } });
  const seen = join(scene.folder, 'seen');
  const inner = join(scene.folder, 'inner.sh');
  writeFileSync(
    inner,
    `trap 'sleep 0.3; echo flushed >> ${seen}; exit 0' TERM; echo up >> ${seen}; while :; do sleep 0.05; done`,
  );
  const outer = join(scene.folder, 'outer.sh');
  writeFileSync(outer, `sh ${inner}\necho after >> ${seen}`);
  const running = startProgram(t, scene.words('--', 'sh', outer), { env: scene.env });
  await waitFor('the inner program', () => readWhenThere(seen)?.includes('up'));
  running.child.kill('SIGTERM');
  await running.exited;
  t.match(readFileSync(seen, 'utf8'), /^up\nflushed\n/);
});

const hasScript = spawnSync('script', ['--version']).status === 0;

t.test(
  'with piped input the terminal stays for questions',
  { skip: hasScript ? false : 'needs script(1) for a terminal' },
  async (t) => {
    const { folder, env, words } = await setUp(t, undefined);
    const said = join(folder, 'said');
    const command = [
      process.execPath,
      program,
      ...words('--', 'sh', '-c', `cat; echo asked > /dev/tty && echo yes > ${said}`),
    ]
      .map((word) => `'${word.replaceAll("'", `'\\''`)}'`)
      .join(' ');
    const child = spawn('script', ['-qec', `printf data | ${command}`, '/dev/null'], {
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    await new Promise((resolve) => child.once('close', resolve));
    t.match(output, /data/);
    t.match(output, /asked/);
    t.ok(existsSync(said), 'the program could open the terminal');
  },
);
