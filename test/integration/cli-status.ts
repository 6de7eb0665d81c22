// `latchkey status` as somebody reads it at three in the morning: verdict, cause once, what is not as on disk, exit codes.
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { program, runProgram, startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { needsRoot } from '../support/needs-root.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const names = ['a', 'b', 'c', 'd', 'e'];

function configOf(folder: string, address: string) {
  return {
    upstreams: { vault: { kind: 'vault', address, events: false, auth: { method: 'token' } } },
    secrets: Object.fromEntries(names.map((name) => [name, { path: `secret/${name}`, refresh: '200ms' }])),
    files: names.map((name) => ({
      contents: `{{ field "${name}" "word" }}`,
      destination: join(folder, `${name}.conf`),
    })),
    processes: [{ name: 'worker', command: ['sleep', '600'], env: { W: '{{ field "a" "word" }}' } }],
  };
}

t.test('one cause is told once, with how many things wait for it', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const agent = startAgent(t, {
    folder,
    vault: { address: vault.address, rootToken: 'wrong-token' },
    config: configOf(folder, vault.address),
  });
  const status = () => runProgram(t, ['status', '--socket', agent.socket]);
  const told = await waitFor('the refusal', async () => {
    const answer = await status();
    return /upstream vault: .*token.*\(11 things wait for it\)\n\n/.test(answer.stdout) ? answer : undefined;
  });
  t.equal(told.code, 1, 'not ready');
  const [first, ...rest] = told.stdout.split('\n');
  t.match(first, /, not ready$/);
  const causes = rest.slice(0, rest.indexOf(''));
  t.equal(causes.length, 1, causes.join('\n'));
  t.match(causes[0], / \(11 things wait for it\)$/);
});

t.test('degraded is in the first line, and so is what is not as on disk', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  for (const name of names) await vault.writeSecret(`secret/${name}`, { word: name });
  const template = join(folder, 'f.ctmpl');
  writeFileSync(template, '{{ field "a" "word" }}');
  const config = configOf(folder, vault.address);
  const agent = startAgent(t, {
    folder,
    vault,
    config: { ...config, files: [...config.files, { template, destination: join(folder, 'f.conf') }] },
  });
  await agent.untilReady();
  const status = async () => (await runProgram(t, ['status', '--socket', agent.socket])).stdout;
  const until = (pattern: RegExp) =>
    waitFor(String(pattern), async () => {
      const text = await status();
      return pattern.test(text) ? text : undefined;
    });
  t.match(await until(/^latchkey .*, ready\n/), /SECRET/);
  vault.vault.seal();
  await until(/^latchkey .*, ready, degraded: vault sealed, \d secrets? stale\n/);
  writeFileSync(template, '{{ if }}');
  const broken = await until(/ready, degraded: .*1 template broken/);
  t.match(
    broken,
    /f\.conf: the template on disk is broken, the one before is in force: .*missing value for if/,
  );
  const good = readFileSync(agent.configPath, 'utf8');
  writeFileSync(agent.configPath, good.replace('"secrets"', '"secerts"'));
  const refused = await until(/ready, degraded: .*config on disk refused/);
  t.match(refused, /the config on disk is refused.*\n.*secerts/);
  const answer = await runProgram(t, ['status', '--socket', agent.socket]);
  t.equal(answer.code, 0, 'all is in place');
  const asConfigured = await runProgram(t, ['status', '--config', agent.configPath]);
  t.match(asConfigured, { code: 0, stdout: /config on disk refused/ }, 'the broken config says where to ask');
  writeFileSync(agent.configPath, '{ "listeners": [');
  t.match(await runProgram(t, ['status', '--config', agent.configPath]), {
    code: 2,
    stderr: /:1:\d+: not valid .*; to ask the agent that runs all the same, name its socket with --socket\n$/,
  });
});

t.test('exit codes tell who did not answer from what is not ready', async (t) => {
  const folder = testFolder(t);
  const none = join(folder, 'none.sock');
  t.match(await runProgram(t, ['status', '--socket', none]), { code: 5, stderr: /cannot reach the agent/ });
});

t.test('an agent that may not be asked is told apart', { skip: needsRoot }, async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const agent = startAgent(t, {
    folder,
    vault,
    config: { listeners: [{ unix: join(folder, 'latchkey.sock'), mode: '0666', serve: ['secrets'] }] },
  });
  await agent.untilReady();
  chmodSync(folder, 0o755);
  t.match(await runProgram(t, ['status', '--socket', agent.socket], { uid: 65_534, gid: 65_534 }), {
    code: 3,
  });
});

const hasScript = spawnSync('script', ['--version']).status === 0;

t.test('no line is longer than the terminal', { skip: !hasScript && 'needs script(1)' }, async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const agent = startAgent(t, {
    folder,
    vault: { address: vault.address, rootToken: 'wrong-token' },
    config: configOf('/tmp', vault.address),
  });
  await waitFor('the agent', async () => (await agent.ask('/status').catch(() => undefined))?.status === 200);
  const seen = await onTerminal(`status --socket '${agent.socket}'`, agent.configPath);
  t.match(seen, /\u001b\[31;1m/, 'with colours');
  const output = await onTerminal(`status --socket '${agent.socket}'`, agent.configPath, { NO_COLOR: '1' });
  t.notMatch(output, '\u001b', 'and without, where they are not wanted');
  const tables = output.replaceAll('\r', '').split('\n\n').slice(1).join('\n').split('\n');
  t.ok(tables.length > 10);
  for (const line of tables) t.ok(line.length <= 80, line);

  await t.test('--watch draws over what is there, and clears it once', async (t) => {
    const watched = await onTerminal(
      `status --watch --socket '${agent.socket}'`,
      agent.configPath,
      {},
      'q',
      (text) => text.split('latchkey ').length > 4,
    );
    t.equal(
      watched.split('\u001b[J').length - 1,
      watched.split('\u001b[H').length - 1,
      'from the corner to the end',
    );
    t.notMatch(watched, '\u001b[2J');
    t.ok(watched.split('\u001b[K').length > 20, 'line by line');
    t.match(watched, /^\u001b\[\?25l[\s\S]*\u001b\[\?25h/, 'the cursor is given back');
  });
});

/** What a terminal of 80 by 50 is sent; with `key` it is pressed once `isSeen`. */
async function onTerminal(
  words: string,
  configPath: string,
  env: Record<string, string> = {},
  key?: string,
  isSeen: (text: string) => boolean = () => false,
): Promise<string> {
  const command = `stty cols 80 rows 50; '${process.execPath}' '${program}' ${words}`;
  const child = spawn('script', ['-qc', command, '/dev/null'], {
    cwd: dirname(configPath),
    env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm', ...env },
    stdio: [key === undefined ? 'ignore' : 'pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (key !== undefined && isSeen(output)) child.stdin?.end(key);
  });
  await new Promise((resolve) => child.once('close', resolve));
  return output;
}
