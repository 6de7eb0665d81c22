// Keeps the memory of this process from other processes of its user and from core files: prctl(2) PR_SET_DUMPABLE and
// setrlimit(2) RLIMIT_CORE. Best effort: a platform without them goes on without.
import { constants } from 'node:os';
import { prctl, pthreadSigmask, setrlimit } from './libc.ts';

const prSetDeathSignal = 1;
const prSetDumpable = 4;
const rlimitCore = 4;
const sigUnblock = 1;

/** Whether both took effect. Undone by nothing; children start dumpable again when they execute a program. */
export function hardenProcess(): boolean {
  try {
    // struct rlimit: two 64-bit numbers, soft and hard.
    const noCore = Buffer.alloc(16);
    return prctl(prSetDumpable, 0, 0, 0, 0) === 0 && setrlimit(rlimitCore, noCore) === 0;
  } catch {
    // Another C library, or none of these calls.
    return false;
  }
}

/** A program for one purpose is of no use without whoever started it, and may hold a secret of theirs. */
export function endWithParent(): void {
  try {
    prctl(prSetDeathSignal, constants.signals.SIGKILL, 0, 0, 0);
  } catch {
    // As above: it goes on to its own end.
  }
}

/** Node was told to take no signal that opens a debugger's door: the first line of the program says so. */
export function isLockedForDebugger(): boolean {
  return process.execArgv.includes('--disable-sigusr1');
}

/** Node's --disable-sigusr1 blocks the signal: without this, handlers of ours would not get it either. Call it once one is there. */
export function unblockUserSignal(): void {
  const set = Buffer.alloc(128);
  const bit = constants.signals.SIGUSR1 - 1;
  set.writeUInt8(1 << (bit % 8), bit >> 3);
  try {
    pthreadSigmask(sigUnblock, set, null);
  } catch {
    // No such call: USR1 does nothing here, HUP and the admin API still do.
  }
}
