// A wall clock of a program's own, set while it runs, by libfaketime. Its monotonic clock is left alone, as that of a host is whose
// clock somebody sets.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';

const libraries = ['x86_64-linux-gnu', 'aarch64-linux-gnu'].map(
  (name) => `/usr/lib/${name}/faketime/libfaketimeMT.so.1`,
);

export interface FakeTime {
  readonly env: Record<string, string>;
  /** `+2h`, `-90m`: from the real time. */
  set(offset: string): void;
}

/** Undefined where it is not installed: the caller returns, the skip is reported already. */
export function createFakeTime(t: Test, folder: string, offset: string): FakeTime | undefined {
  const library = libraries.find((path) => existsSync(path));
  if (library === undefined) {
    t.pass('needs libfaketime', { skip: 'libfaketime is not installed' });
    return undefined;
  }
  const file = join(folder, 'fake-time');
  const set = (next: string): void => writeFileSync(file, `${next}\n`);
  set(offset);
  return {
    set,
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    },
  };
}
