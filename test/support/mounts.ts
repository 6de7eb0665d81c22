// Mounts for tests of what only a mount can show: a full disk, a read-only folder, a file that is a mount point.
import { spawnSync } from 'node:child_process';
import type { Test } from 'tap';

/** False when this machine lets nobody mount, with the reason reported as a skip; unmounted with the test. */
export function mount(t: Test, path: string, ...args: readonly string[]): boolean {
  const { status, stderr } = spawnSync('mount', [...args, path], { encoding: 'utf8' });
  if (status !== 0) {
    t.pass('needs the right to mount', { skip: stderr?.trim() || 'no mount command' });
    return false;
  }
  t.teardown(() => spawnSync('umount', ['-l', path]));
  return true;
}

export function remount(path: string, options: string): void {
  spawnSync('mount', ['-o', `remount,${options}`, path]);
}
