import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { CommandRequest } from '../../../src/base/run-command.ts';
import type { NotifyConfig } from '../../../src/config/resolved.ts';
import { notificationsOf, sendNotification } from '../../../src/files/transaction/notification.ts';
import { runCommand } from '../../support/command-runner.ts';
import { recordLogs } from '../../support/record-logs.ts';
import { testFolder } from '../../support/test-folder.ts';

const options = { signal: new AbortController().signal, masks: [] };
const signalProcess = (): Promise<void> => Promise.reject(new Error('it does not run'));

function send(
  config: NotifyConfig,
  over: Partial<Parameters<typeof sendNotification>[1]> = {},
): Promise<boolean> {
  const [notification] = notificationsOf({
    place: 'files[0]',
    destination: '/etc/app.conf',
    notify: [config],
  });
  if (notification === undefined) throw new Error('no notification');
  return sendNotification(notification, { runCommand, signalProcess, ...over }, options);
}

t.test('reads the pid file again each time', async (t) => {
  const pidFile = join(testFolder(t), 'pid');
  for (const _ of [1, 2]) {
    const script = 'trap "echo got it; exit" HUP; echo up; while :; do sleep 0.01; done';
    const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    writeFileSync(pidFile, `${child.pid}\n`);
    t.ok(await send({ kind: 'signal', signal: 'SIGHUP', pidFile }));
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    t.equal(said.toString(), 'got it\n');
    await once(child, 'exit');
  }
  const { logger, lines } = recordLogs();
  t.notOk(await send({ kind: 'signal', signal: 'SIGHUP', pidFile }, { logger }), 'nobody was told');
  t.match(lines, [{ message: /pid is stale: no process \d+ runs.*it reads the file when it starts/ }]);
});

t.test('sends nothing to a process group, to itself, or by a file that holds no number', async (t) => {
  const pidFile = join(testFolder(t), 'pid');
  const { logger, lines } = recordLogs();
  await send({ kind: 'signal', signal: 'SIGHUP', pidFile }, { logger });
  t.equal(lines.length, 1, 'a program that has written no pid file does not run yet');
  for (const text of ['', '0', '-1', 'nginx', String(process.pid)]) {
    writeFileSync(pidFile, text);
    await t.rejects(send({ kind: 'signal', signal: 'SIGHUP', pidFile }), { message: /no process id/ }, text);
  }
});

t.test('signals a supervised process by its name', async (t) => {
  const sent: string[] = [];
  const config = { kind: 'signal', signal: 'SIGUSR1', process: 'legacy' } as const;
  await send(config, { signalProcess: async (name, signal) => void sent.push(`${signal} ${name}`) });
  t.strictSame(sent, ['SIGUSR1 legacy']);
  await t.rejects(send(config), {
    code: 'notify_failed',
    message: /cannot send SIGUSR1 to legacy: it does not run/,
  });
});

t.test('speaks to systemd by lists of words', async (t) => {
  const commands: string[] = [];
  const note = async (request: CommandRequest) => {
    commands.push(request.command.join(' '));
    return { code: 0, signal: null, lastLine: '', timedOut: false };
  };
  const unit = { kind: 'unit', unit: 'nginx.service', timeoutMs: 1000 } as const;
  await send({ ...unit, action: 'reload', signal: undefined }, { runCommand: note });
  await send({ ...unit, action: 'kill', signal: 'SIGUSR2' }, { runCommand: note });
  t.strictSame(commands, [
    'systemctl reload -- nginx.service',
    'systemctl kill --signal=SIGUSR2 -- nginx.service',
  ]);
});

t.test('a command fails by its exit code, its signal, its absence or its time', async (t) => {
  const command = (...words: string[]): NotifyConfig => ({ kind: 'command', command: words, timeoutMs: 100 });
  const code = 'notify_failed';
  await t.rejects(send(command('sh', '-c', 'echo no; exit 4')), {
    code,
    message: /sh failed with exit code 4: no$/,
  });
  await t.rejects(send(command('sh', '-c', 'kill -9 $$')), { code, message: /was ended by SIGKILL/ });
  await t.rejects(send(command('/no/such/program')), { code, message: /cannot run \/no\/such\/program/ });
  await t.rejects(send(command('sleep', '60')), { code, message: /did not end within 100ms/ });
});

t.test('a program that forks a daemon which never returns is no failure', async () => {
  await send({ kind: 'command', command: ['sh', '-c', 'sleep 2 & exit 0'], timeoutMs: 60_000 });
});

t.test('what has the same effect has the same key', (t) => {
  const keys = (destination: string, ...notify: NotifyConfig[]): string[] =>
    notificationsOf({ place: 'files[0]', destination, notify }).map(({ key }) => key);
  const reload: NotifyConfig = { kind: 'command', command: ['reload'], timeoutMs: 1 };
  t.strictSame(keys('/a', reload), keys('/b', { ...reload, timeoutMs: 2 }));
  const own: NotifyConfig = { kind: 'command', command: ['load', '{destination}'], timeoutMs: 1 };
  t.notSame(keys('/a', own), keys('/b', own));
  t.end();
});
