// What names one process for ever: its pid with the time of its start, because pids are soon given to others.
import { readFileSync } from 'node:fs';

export interface ProcessStat {
  /** `R`, `S`, `Z`, …: see proc_pid_stat(5). */
  readonly state: string;
  readonly parent: number;
  /** Of its session leader; daemons have one that nobody else has. */
  readonly session: number;
  /** Field 22, in clock ticks since boot. */
  readonly startTime: string;
}

/** Undefined when there is no such process, or no /proc. */
export function readProcessStat(pid: number): ProcessStat | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // Counted after the last `)`, for the name before it may hold anything.
  const [state = '', parent = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state, parent: Number(parent), session: Number(fields[1]), startTime: fields[17] ?? '' };
}

/** Undefined when there is no such process, or only what its parent has not yet collected. */
export function processStartTime(pid: number): string | undefined {
  const stat = readProcessStat(pid);
  return stat === undefined || stat.state === 'Z' || stat.state === 'X' ? undefined : stat.startTime;
}
