// A folder of its own for a test, below the system's folder for temporary files: a socket's path has 107 bytes at most,
// more than `t.testdir()` leaves, and other users must come there.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Removed at the end of the test. @param mode default: others may pass through it. */
export function testFolder(t: { teardown(callback: () => unknown): void }, mode = 0o755): string {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  chmodSync(folder, mode);
  return folder;
}
