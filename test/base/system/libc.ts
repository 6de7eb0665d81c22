import { spawn } from 'node:child_process';
import { closeSync, lstatSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  flock,
  lastErrnoName,
  lockExclusive,
  lockNonBlocking,
  mkfifo,
  pidfdOpen,
  pidfdSendSignal,
} from '../../../src/base/system/libc.ts';
import { processStartTime } from '../../../src/base/system/process-identity.ts';

t.test('tells why a call failed, by the name that Node uses', (t) => {
  const folder = t.testdir({});
  t.equal(mkfifo(join(folder, 'fifo'), 0o600), 0);
  t.ok(lstatSync(join(folder, 'fifo')).isFIFO());
  // Asked for at once: to print a result is a call too.
  t.strictSame([mkfifo(join(folder, 'fifo'), 0o600), lastErrnoName()], [-1, 'EEXIST']);
  t.end();
});

t.test('a second lock of a file is refused until the first is gone', (t) => {
  const path = join(t.testdir({}), 'lock');
  writeFileSync(path, '');
  const [first, second] = [openSync(path, 'r'), openSync(path, 'r')];
  t.equal(flock(first, lockExclusive | lockNonBlocking), 0);
  t.strictSame([flock(second, lockExclusive | lockNonBlocking), lastErrnoName()], [-1, 'EAGAIN']);
  closeSync(first);
  t.equal(flock(second, lockExclusive | lockNonBlocking), 0);
  closeSync(second);
  t.end();
});

t.test('a pidfd signals its process, and never the next one with that number', async (t) => {
  const child = spawn('sleep', ['60']);
  const pid = child.pid ?? 0;
  t.match(processStartTime(pid), /^\d+$/);
  const pidfd = pidfdOpen(pid);
  t.ok(pidfd >= 0);
  const ended = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)));
  t.equal(pidfdSendSignal(pidfd, 15), 0);
  t.equal(await ended, 'SIGTERM');
  t.strictSame([pidfdSendSignal(pidfd, 15), lastErrnoName()], [-1, 'ESRCH']);
  closeSync(pidfd);
  t.equal(processStartTime(pid), undefined);
});
