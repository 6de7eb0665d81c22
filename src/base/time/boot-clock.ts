// The time since this host was started, as the kernel counts it: it runs on while the host sleeps, and nobody sets it.
import { readFileSync } from 'node:fs';
import { clockGettime } from '../system/libc.ts';

export interface BootClock {
  /** Which start of the host: another after each. */
  readonly boot: string;
  /** When that was, in wall time of now: another once somebody sets the host's clock. */
  readonly startedAt: number;
}

const clockBoottime = 7;

/** Undefined where the kernel does not tell. */
export function readBootClock(wallMs: number): BootClock | undefined {
  const time = Buffer.alloc(16); // struct timespec
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    // /proc/uptime is no such clock in a container: it may count from the container's start.
    if (clockGettime(clockBoottime, time) !== 0) return undefined;
    const upMs = Number(time.readBigInt64LE(0)) * 1000 + Number(time.readBigInt64LE(8)) / 1e6;
    return { boot, startedAt: Math.round(wallMs - upMs) };
  } catch {
    // No /proc, or no such function in the C library.
    return undefined;
  }
}
