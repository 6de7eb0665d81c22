// Notices when somebody removes the file of a socket, or the token's: clients find neither any more, although the listener
// lives. Abstract names, and sockets that systemd made, are not the agent's to watch.

import { describeError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { type FileDifference, inodeAt } from '../../base/paths/file-print.ts';
import { createFolderWatch } from '../../base/paths/folder-watch.ts';
import type { Clock } from '../../base/time/clock.ts';
import { createEarliestTimer } from '../../base/time/earliest-timer.ts';
import type { Listener } from './listener.ts';

export interface AddressWatch {
  /** These listeners are bound. */
  set(listeners: readonly Listener[]): void;
  /** Looks at every one now. */
  look(): void;
  close(): void;
}

/** Whoever removes a folder with all that is in it must come to its end. */
const calmMs = 100;

interface Options {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Nothing is at the address of this listener any more: nobody can reach it. */
  readonly onLost: (listener: Listener) => void;
  /** A token file is as it should be again. */
  readonly onRestored: (path: string, what: FileDifference) => void;
}

export function createAddressWatch({ clock, logger, onLost, onRestored }: Options): AddressWatch {
  /** What each socket's file was when it was bound. */
  const bound = new Map<Listener, string | undefined>();
  const taken = new WeakSet<Listener>();
  const calm = createEarliestTimer(clock, look);
  const watch = createFolderWatch({ logger, onEvent: () => calm.within(calmMs) });

  function look(): void {
    for (const [listener, identity] of bound) {
      const { config } = listener;
      if (config.kind === 'tcp') restoreToken(listener);
      if (config.kind !== 'unix') continue;
      const now = inodeAt(config.path, 'kept');
      if (now === undefined) onLost(listener);
      else if (now !== identity && !taken.has(listener)) {
        taken.add(listener);
        logger.error(
          { listener: config.place, path: config.path },
          'something else is in the place of the socket: remove it, and the agent listens there again',
        );
      }
    }
  }

  /** The same token again, in a file that only its readers can read. */
  function restoreToken(listener: Listener): void {
    const path = watchedPath(listener);
    try {
      const before = path && inodeAt(path, 'kept');
      listener.update(listener.config);
      if (path === undefined || inodeAt(path, 'kept') === before) return;
      onRestored(path, before === undefined ? 'deleted' : 'content');
      logger.warn(
        { listener: listener.config.place, path },
        `somebody ${before === undefined ? 'removed' : 'changed'} the token file: it was put right`,
      );
    } catch (error) {
      logger.error(
        { event: 'listener.token-file-failed', listener: listener.config.place },
        describeError(error),
      );
    }
  }

  return {
    set(listeners) {
      for (const listener of bound.keys()) if (!listeners.includes(listener)) bound.delete(listener);
      const paths: string[] = [];
      for (const listener of listeners) {
        const path = watchedPath(listener);
        if (path === undefined) continue;
        paths.push(path);
        if (!bound.has(listener)) bound.set(listener, inodeAt(path, 'kept'));
      }
      watch.set(paths);
    },
    look,
    close() {
      calm.cancel();
      watch.close();
    },
  };
}

function watchedPath({ config }: Listener): string | undefined {
  if (config.kind === 'tcp') return config.tokenFile;
  return config.kind === 'unix' && !config.path.startsWith('@') ? config.path : undefined;
}
