// A program that puts itself into the background: it ends well at once, and another process, in a session of its own, goes on
// where nobody supervises it.
import { readdirSync, readFileSync } from 'node:fs';
import { processStartTime, readProcessStat } from '../../base/system/process-identity.ts';

export interface BackgroundProcess {
  readonly pid: number;
  /** As ps(1) shows it. */
  readonly name: string;
}

/**
 * What was started since `startTime` (ticks since boot), belongs to the control group of the agent, and is in a session
 * that `isOwn` does not know: an orphan of the program that has just ended. Undefined where there is none, or no /proc.
 */
export function findBackground(
  startTime: string,
  isOwn: (pid: number) => boolean,
): BackgroundProcess | undefined {
  const ownSession = readProcessStat(process.pid)?.session;
  const ownGroup = read('/proc/self/cgroup');
  for (const entry of ownGroup === undefined ? [] : readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || isOwn(pid)) continue;
    const stat = readProcessStat(pid);
    if (stat === undefined || stat.state === 'Z' || Number(stat.startTime) < Number(startTime)) continue;
    if (stat.session === ownSession || isOwn(stat.session) || !isOrphan(stat.parent)) continue;
    if (read(`/proc/${pid}/cgroup`) !== ownGroup) continue;
    const name = read(`/proc/${pid}/comm`)?.trimEnd();
    if (name !== undefined) return { pid, name };
  }
  return undefined;
}

/** The kernel gave it to init, to a reaper of the session, or to the agent itself. */
function isOrphan(parent: number): boolean {
  return parent === 1 || parent === process.pid || processStartTime(parent) === undefined || isReaper(parent);
}

/** `systemd --user` takes the orphans of a user's session. */
function isReaper(pid: number): boolean {
  return read(`/proc/${pid}/comm`)?.trimEnd() === 'systemd';
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // it went, or is not ours to read
  }
}
