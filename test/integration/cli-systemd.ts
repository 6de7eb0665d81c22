// The agent as a service of Type=notify: what it tells systemd, received on a socket of the test's own.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t, { type Test } from 'tap';
import { startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const hasPython = spawnSync('python3', ['-c', '0']).status === 0;
const skip = hasPython ? false : 'needs python3: Node has no datagram sockets of unix';

/** Binds the address and gives what arrives there. */
async function receive(t: Test, address: string): Promise<() => string[]> {
  const script = `import socket, sys, json
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
name = sys.argv[1]
s.bind('\\0' + name[1:] if name[0] == '@' else name)
print('bound', flush=True)
while True: print(json.dumps(s.recv(4096).decode()), flush=True)`;
  const child = spawn('python3', ['-c', script, address], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  t.teardown(() => child.kill('SIGKILL'));
  await waitFor('the socket', () => text.startsWith('bound\n'));
  return () =>
    text
      .split('\n')
      .slice(1, -1)
      .map((line) => JSON.parse(line) as string);
}

for (const kind of ['path', 'abstract name'] as const) {
  t.test(`tells of start, reload, life and stop, to a ${kind}`, { skip }, async (t) => {
    const folder = testFolder(t);
    const vault = await startDevVault(t);
    const address = kind === 'path' ? join(folder, 'notify.sock') : `@latchkey-test-${process.pid}`;
    const received = await receive(t, address);
    const has = (pattern: RegExp) => received().some((message) => pattern.test(message));
    const agent = startAgent(t, {
      folder,
      vault,
      env: { NOTIFY_SOCKET: address, WATCHDOG_USEC: '200000' },
      config: { secrets: { late: { path: 'secret/late', refresh: '100ms' } } },
    });
    await waitFor('what it waits for', () => has(/^STATUS=waits for 1: secret late: .*no such secret/));
    t.equal((await agent.ask('/reload', { method: 'POST' })).status, 200);
    await waitFor('a heartbeat', () => has(/^WATCHDOG=1$/));
    t.notOk(has(/READY=1|RELOADING=1/), 'a reload does not make it ready');

    await vault.writeSecret('secret/late', { word: 'here' });
    await waitFor('ready', () => has(/^READY=1\nSTATUS=ready$/));
    const before = process.hrtime.bigint() / 1000n;
    t.equal((await agent.ask('/reload', { method: 'POST' })).status, 200);
    await waitFor('the end of the reload', () => has(/^READY=1$/));
    const [, at] = received().flatMap((message) => /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(message) ?? []);
    t.ok(
      BigInt(at ?? 0) >= before,
      'the time is that of the monotonic clock, as Type=notify-reload wants it',
    );

    const config = readFileSync(agent.configPath, 'utf8');
    writeFileSync(agent.configPath, `${config} not: [yaml`);
    await waitFor('the refusal', () => has(/^READY=1\nERRNO=22$/));
    await waitFor('what stays in systemctl status', () =>
      /^READY=1\nSTATUS=ready, degraded: config on disk refused; the config before .* is in force: .*latchkey\.yaml/.test(
        received().findLast((message) => message.includes('STATUS=')) ?? '',
      ),
    );
    writeFileSync(agent.configPath, config);
    await waitFor('the next good one', () => has(/^READY=1\nERRNO=0$/));
    await waitFor('no word of it', () =>
      /STATUS=ready$/.test(received().findLast((message) => message.includes('STATUS=')) ?? ''),
    );

    t.equal((await agent.stop()).code, 0);
    await waitFor('the stop', () => has(/^STOPPING=1\nEXTEND_TIMEOUT_USEC=\d{8}$/));
  });
}

t.test(
  'a program that waits for the agent is not waited for, nor a vault whose files are there',
  { skip },
  async (t) => {
    const folder = testFolder(t);
    const vault = await startDevVault(t);
    await vault.writeSecret('secret/app', { word: 'w' });
    const file = join(folder, 'app.conf');
    const start = async (name: string, address: string, notify: object) => {
      const socket = join(folder, `${name}.sock`);
      const received = await receive(t, socket);
      const agent = startAgent(t, {
        folder,
        vault: { address, rootToken: vault.rootToken },
        env: { NOTIFY_SOCKET: socket },
        config: {
          secrets: { app: { path: 'secret/app' } },
          files: [{ contents: `{{ field "app" "word" }} ${name}`, destination: file, notify }],
        },
      });
      const ready = () => received().some((message) => /^READY=1/.test(message));
      return { agent, ready, received };
    };
    const first = await start('pid', vault.address, { signal: 'HUP', pid_file: join(folder, 'nginx.pid') });
    await waitFor('ready with a program that is not there yet', first.ready);
    t.match(first.agent.log(), /nginx\.pid.*it reads the file when it starts/);
    await first.agent.stop();
    const second = await start('command', vault.address, {
      command: ['sh', '-c', 'echo is not active >&2; exit 3'],
    });
    await waitFor('ready though a notification is owed', second.ready);
    t.match((await second.agent.ask('/status')).text, /"degraded":\["1 file failing"\]/);
    await second.agent.stop();
    const third = await start('away', 'http://127.0.0.1:1', { command: ['true'] });
    await waitFor('ready with the files of before', third.ready);
    t.equal((await third.agent.ask('/readyz')).status, 503, 'to those who ask it is not');
    t.match(third.received().join('\n'), /STATUS=waits for \d+: upstream vault/);
  },
);

const hasAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0;

t.test(
  'the unit file is one that systemd takes',
  { skip: hasAnalyze ? false : 'needs systemd-analyze' },
  (t) => {
    const unit = resolve(import.meta.dirname, '../../config/latchkey.service');
    const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
    const about = stderr.split('\n').filter((line) => line.includes('latchkey.service'));
    t.strictSame(
      about.filter((line) => !line.includes('/usr/local/bin/latchkey is not executable')),
      [],
    );
    const bounds = ['--offline=true', '--threshold=25', '--no-pager', unit];
    const { status, stdout } = spawnSync('systemd-analyze', ['security', ...bounds], { encoding: 'utf8' });
    t.equal(status, 0, stdout.slice(-200));
    t.end();
  },
);
