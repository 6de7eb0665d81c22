// Keeps the agent's memory from other processes of its user and from core files: prctl(2) PR_SET_DUMPABLE and
// setrlimit(2) RLIMIT_CORE. Best effort: a platform without them goes on without.
import koffi from 'koffi';

const prSetDumpable = 4;
const rlimitCore = 4;

/** Whether both took effect. Undone by nothing; children start dumpable again when they execute a program. */
export function hardenProcess(): boolean {
  try {
    const libc = koffi.load(null);
    const prctl = libc.func('int prctl(int, ulong, ulong, ulong, ulong)');
    const setrlimit = libc.func('int setrlimit(int, const void *)');
    // struct rlimit: two 64-bit numbers, soft and hard.
    const noCore = Buffer.alloc(16);
    return prctl(prSetDumpable, 0, 0, 0, 0) === 0 && setrlimit(rlimitCore, noCore) === 0;
  } catch {
    // Another C library, or none of these calls.
    return false;
  }
}
