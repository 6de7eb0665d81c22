// What is neither a file nor a folder: devices, sockets and named pipes are never replaced, since whoever made them needs
// them. Three of them may be named as a destination for what they are.
import type { Stats } from 'node:fs';
import { PathFault } from './path-trust.ts';

/** `/dev/null` takes everything and keeps nothing; the other two are the agent's own output. */
export type StandardStream = 'nothing' | 'stdout' | 'stderr';

const standardStreams: ReadonlyMap<string, StandardStream> = new Map([
  ['/dev/null', 'nothing'],
  ['/dev/stdout', 'stdout'],
  ['/dev/fd/1', 'stdout'],
  ['/proc/self/fd/1', 'stdout'],
  ['/dev/stderr', 'stderr'],
  ['/dev/fd/2', 'stderr'],
  ['/proc/self/fd/2', 'stderr'],
]);

export function standardStreamOf(path: string): StandardStream | undefined {
  return standardStreams.get(path);
}

type Kind = Pick<Stats, 'isFIFO' | 'isSocket' | 'isCharacterDevice' | 'isBlockDevice'>;

/** A refusal to put a file where one of these is; `isPipeWanted`: for those who serve a named pipe there. */
export function specialFileFault(path: string, stats: Kind, isPipeWanted = false): PathFault | undefined {
  if (stats.isFIFO()) {
    if (isPipeWanted) return undefined;
    return new PathFault(
      `${path} is a named pipe`,
      'choose another path, or remove it if it is a leftover; a file may say `fifo: true`',
    );
  }
  const what = kindOf(stats);
  if (what === undefined) return undefined;
  return new PathFault(`${path} is a ${what}`, 'choose another path, or remove it if it is a leftover');
}

function kindOf(stats: Kind): string | undefined {
  if (stats.isSocket()) return 'socket';
  if (stats.isCharacterDevice()) return 'character device';
  return stats.isBlockDevice() ? 'block device' : undefined;
}
