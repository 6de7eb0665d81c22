import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, openSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import type { Caller } from '../../src/access/caller.ts';
import { createLinuxPeerReader } from '../../src/access/peer-linux.ts';
import { createPeerReader } from '../../src/access/peer-reader.ts';
import { processStartTime } from '../../src/base/system/process-identity.ts';
import { needsRoot } from '../support/needs-root.ts';
import { nobody, runAs } from '../support/other-user.ts';
import { testFolder } from '../support/test-folder.ts';

const isLinux = process.platform === 'linux';
const skip = isLinux ? false : 'peer credentials by SO_PEERCRED are of Linux';

/** Who a client is to a server that asks as soon as it has connected. */
async function identifyClient(path: string, uid: number): Promise<Caller> {
  const peers = createLinuxPeerReader();
  const { promise, resolve } = Promise.withResolvers<Caller>();
  const server = createServer((socket: Socket) => {
    resolve(peers.identify((socket as unknown as { _handle: { fd: number } })._handle.fd));
    socket.end();
  });
  await new Promise<void>((done) => server.listen(path, done));
  chmodSync(path, 0o666);
  const script = `import { connect } from 'node:net'; connect(process.argv[1]).resume();`;
  const [caller] = await Promise.all([promise, runAs(uid, script, [path])]);
  server.close();
  return caller;
}

t.test('tells uid, gid, pid, start time and executable of a client', { skip }, async (t) => {
  const caller = await identifyClient(join(testFolder(t), 's'), process.getuid?.() ?? 0);
  t.match(caller, { kind: 'process', uid: process.getuid?.(), exe: process.execPath, startTime: /^\d+$/ });
});

t.test('tells another user’s client', { skip: skip || needsRoot }, async (t) => {
  const caller = await identifyClient(join(testFolder(t), 's'), nobody);
  t.match(caller, { kind: 'process', uid: nobody, gid: nobody });
});

t.test(
  'knows nobody once the process that connected has ended, whoever holds its end',
  { skip },
  async (t) => {
    const path = join(testFolder(t), 's');
    const { promise, resolve } = Promise.withResolvers<Socket>();
    const server = createServer(resolve);
    await new Promise<void>((done) => server.listen(path, done));
    // `cat` has the connection as its stdin, and ends with it.
    const script = `
    import { spawn } from 'node:child_process';
    import { connect } from 'node:net';
    const socket = connect(process.argv[1], () => {
      spawn('cat', { stdio: [socket._handle.fd, 'ignore', 'ignore'], detached: true }).unref();
      process.exit();
    });`;
    const [socket] = await Promise.all([promise, runAs(process.getuid?.() ?? 0, script, [path])]);
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
    t.match(createLinuxPeerReader().identify(fd), { kind: 'unknown', why: /has ended/ });
    socket.destroy();
    server.close();
  },
);

t.test('knows nobody behind a descriptor that is no socket', { skip }, (t) => {
  const file = openSync('/dev/null', 'r');
  t.match(createLinuxPeerReader().identify(file), { kind: 'unknown' });
  closeSync(file);
  t.match(createLinuxPeerReader().identify(-1), { kind: 'unknown' });
  t.equal(createLinuxPeerReader().peerAddress(-1), undefined);
  t.end();
});

t.test('the start time names a process, and none that is gone', { skip }, (t) => {
  t.match(processStartTime(process.pid), /^\d+$/);
  t.equal(processStartTime(process.pid), processStartTime(process.pid));
  t.equal(processStartTime(2 ** 22 + 1), undefined);
  t.end();
});

t.test('each platform has a reader', async (t) => {
  t.type((await createPeerReader()).identify, 'function');
});

t.test('signals to the agent end no caller', { skip }, async (t) => {
  const path = join(testFolder(t), 's');
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const server = createServer(resolve);
  await new Promise<void>((done) => server.listen(path, done));
  t.teardown(() => server.close());
  const client = spawn(process.execPath, ['-e', `require('net').connect(${JSON.stringify(path)})`]);
  t.teardown(() => client.kill('SIGKILL'));
  const socket = await promise;
  t.teardown(() => socket.destroy());
  let signals = 0;
  const count = () => {
    signals += 1;
  };
  process.on('SIGUSR2', count);
  const storm = spawn('sh', ['-c', `while kill -USR2 ${process.pid}; do :; done`]);
  const calm = once(storm, 'exit');
  t.teardown(async () => {
    storm.kill('SIGKILL');
    // A signal that comes once nobody listens any more would end this process.
    await calm;
    process.off('SIGUSR2', count);
  });
  const { caller, watch } = createLinuxPeerReader().follow(
    (socket as unknown as { _handle: { fd: number } })._handle.fd,
  );
  t.match(caller, { kind: 'process', pid: client.pid });
  let looks = 0;
  while (signals < 200 && watch?.isAlive() === true) {
    looks += 1;
    if (looks % 1000 === 0) await new Promise(setImmediate);
  }
  t.ok(watch?.isAlive(), `${looks} looks under ${signals} signals`);
  client.kill('SIGKILL');
  await once(client, 'exit');
  t.notOk(watch?.isAlive(), 'its end is seen all the same');
});
