// Keeps the memory of this process from other processes of its user and from core files: prctl(2) PR_SET_DUMPABLE and
// setrlimit(2) RLIMIT_CORE; and what it was started with open from the programs that it starts. Best effort: a platform without
// these calls goes on without.
import { readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { closeOnExecute, fcntl, prctl, pthreadSigmask, setrlimit } from './libc.ts';

const prSetDeathSignal = 1;
const prSetDumpable = 4;
const rlimitCore = 4;
const sigUnblock = 1;
/** After input, output and error. */
const firstInherited = 3;
const fcntlSetFd = 2;
const closeOnExec = 1;

/** Whether both took effect. Undone by nothing; children start dumpable again when they execute a program. */
export function hardenProcess(): boolean {
  try {
    // struct rlimit: two 64-bit numbers, soft and hard.
    const noCore = Buffer.alloc(16);
    keepDescriptors();
    return prctl(prSetDumpable, 0, 0, 0, 0) === 0 && setrlimit(rlimitCore, noCore) === 0;
  } catch {
    // Another C library, or none of these calls.
    return false;
  }
}

/** Of what it was started with Node hands on all descriptors from a gap on. */
function keepDescriptors(): void {
  if (closeOnExecute(firstInherited) === 0) return;
  // Before Linux 5.11 one by one.
  const open = readdirSync('/proc/self/fd').map(Number);
  for (const fd of open) if (fd >= firstInherited) fcntl(fd, fcntlSetFd, closeOnExec);
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
