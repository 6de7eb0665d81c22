import { closeSync, fstatSync, openSync } from 'node:fs';
import t from 'tap';
import { isLocalDevice, learnDevice } from '../../../src/base/paths/local-device.ts';

/** What is held, as a walk holds it. */
async function learnt(path: string): Promise<number> {
  const fd = openSync(path, 'r');
  try {
    const { dev } = fstatSync(fd);
    await learnDevice({ fd, dev });
    return dev;
  } finally {
    closeSync(fd);
  }
}

t.test('a file system is a network until it is known not to be one', async (t) => {
  t.equal(isLocalDevice(-1), false);
  const dev = await learnt(t.testdir());
  t.equal(isLocalDevice(dev), true, 'where tests run');
  t.equal(isLocalDevice(BigInt(dev)), true, 'as prints have it');
  t.equal(isLocalDevice(await learnt('/proc/self')), false, 'whose files are made as they are read');
  await learnDevice({ fd: -1, dev: -2 });
  t.equal(isLocalDevice(-2), false, 'that cannot be asked');
});
