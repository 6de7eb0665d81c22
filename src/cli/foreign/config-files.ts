// The files that consul-template and envconsul read of a folder: all of them, those in folders below too, by name.
import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

export function configFiles(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const full = resolve(path);
    if (statSync(full, { throwIfNoEntry: false })?.isDirectory() !== true) return [full];
    const entries = readdirSync(full, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
  });
}
