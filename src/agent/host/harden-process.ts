// Keeps the agent's memory from other processes of its user and from core files: prctl(2) PR_SET_DUMPABLE and
// setrlimit(2) RLIMIT_CORE. Best effort: a platform without them goes on without.
import { prctl, setrlimit } from '../../base/libc.ts';

const prSetDumpable = 4;
const rlimitCore = 4;

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
