// The files that consul-template and envconsul read of a folder: all of them, those in folders below too, by name.
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isFolder } from '../../base/paths/look-at.ts';

export function configFiles(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const full = resolve(path);
    return isFolder(full) ? filesBelow(full).sort() : [full];
  });
}

/** Those of Vault Agent in a folder: `*.hcl` and `*.json`, hidden ones too, without what editors leave. A file stays as it is. */
export function agentFiles(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    if (path === '' || !isFolder(path)) return [path];
    const names = readdirSync(path)
      .filter((name) => /\.(?:hcl|json)$/.test(name) && !name.startsWith('.#'))
      .filter((name) => !isFolder(join(path, name)));
    // An empty one is told of as such.
    return names.length === 0 ? [path] : names.sort().map((name) => join(path, name));
  });
}

/** A link counts as the file that it leads to. Links to folders are not walked into, as there: they may lead round in a circle. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    // Kubernetes keeps the files of a mounted ConfigMap in folders named `..2026_11_28`, and links to them beside those.
    if (entry.name.startsWith('..')) return [];
    if (entry.isDirectory()) return filesBelow(path);
    return isFolder(path) ? [] : [path];
  });
}
