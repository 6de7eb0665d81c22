// Keeps the state folder for as long as the agent lives: somebody who removes it takes the lock with it, and a second agent
// would be let in. So it is made and locked again, and says so where it cannot be.

import { describeError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { createFolderWatch } from '../../base/paths/folder-watch.ts';
import type { Clock } from '../../base/time/clock.ts';
import { createEarliestTimer } from '../../base/time/earliest-timer.ts';
import { claimStateFolder, type StateFolder } from './state-folder.ts';

export interface KeptStateFolder {
  /** Looks whether it is still there. */
  verify(): Promise<void>;
  /** Undefined: it is as it should be. */
  trouble(): string | undefined;
  /** Gives the lock up. */
  release(): void;
}

/** Whoever removes a folder with all that is in it must come to its end. */
const calmMs = 100;

interface KeepOptions {
  readonly clock: Clock;
  readonly state: StateFolder;
  readonly config: Parameters<typeof claimStateFolder>[0]['config'];
  readonly logger: Logger;
  /** It is another one now, and empty. */
  readonly onRenewed: () => void;
}

export function keepStateFolder(options: KeepOptions): KeptStateFolder {
  const { clock, logger, config, onRenewed } = options;
  let { state } = options;
  const { path } = state;
  let trouble = path === undefined ? `${config.stateDir} is not used, see the log` : undefined;
  let pending: Promise<void> | undefined;
  let isOver = false;
  const calm = createEarliestTimer(clock, () => void verify());
  const watch =
    path === undefined ? undefined : createFolderWatch({ logger, onEvent: () => calm.within(calmMs) });
  watch?.set([state.lockPath ?? '']);

  async function renew(): Promise<void> {
    const told = trouble;
    try {
      const next = await claimStateFolder({ config, logger: { ...logger, warn() {} } });
      if (isOver) return next.release();
      if (next.path === undefined) trouble = `${path} is gone, and cannot be made again`;
      else {
        state.release();
        state = next;
        trouble = undefined;
        logger.warn({ state_dir: path }, 'state_dir was removed or replaced: it is made again');
        onRenewed();
      }
    } catch (error) {
      trouble = describeError(error);
    }
    if (trouble !== undefined && trouble !== told)
      logger.error({ event: 'state.folder-failed', state_dir: path }, trouble);
  }

  /** One at a time: what happens meanwhile is looked at by the next event. */
  function verify(): Promise<void> {
    if (isOver || path === undefined || state.isInPlace()) return Promise.resolve();
    pending ??= renew().finally(() => {
      pending = undefined;
    });
    return pending;
  }

  return {
    verify,
    trouble: () => trouble,
    release() {
      isOver = true;
      calm.cancel();
      watch?.close();
      state.release();
    },
  };
}
