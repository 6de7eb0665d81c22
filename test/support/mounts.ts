// Mounts for tests of what only a mount can show: a full disk, a read-only folder, a file that is a mount point.
import { spawnSync } from 'node:child_process';
import type { Test } from 'tap';

const programs = { mount: 'mount', umount: 'umount' };

/** False when this machine lets nobody mount, with the reason reported as a skip; unmounted with the test. */
export function mount(t: Test, path: string, ...args: readonly string[]): boolean {
  const { status, stderr } = spawnSync(programs.mount, [...args, path], { encoding: 'utf8' });
  if (status !== 0) {
    t.pass('needs the right to mount', { skip: stderr?.trim() || 'no mount command' });
    return false;
  }
  t.teardown(() => spawnSync(programs.umount, ['-l', path]));
  return true;
}

export function remount(path: string, options: string): void {
  spawnSync(programs.mount, ['-o', `remount,${options}`, path]);
}
