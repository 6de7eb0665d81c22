// `latchkey status` for people: the verdict first, each cause once with how much waits for it, then the tables.

import { headlineOf } from '../../api/headline.ts';
import { shownPath } from '../../api/shown-path.ts';
import type { AgentStatus, FileStatus, SecretStatus, UpstreamStatus, WaitStatus } from '../../api/status.ts';
import { counted } from '../../base/text/counted.ts';
import { formatSpan, formatTable } from './table.ts';
import { type Tone, toned, unmarked } from './tone.ts';

export interface TextOptions {
  /** Wall time in milliseconds. */
  readonly now: number;
  /** Columns of the terminal; undefined: lines are as long as they are. */
  readonly width: number | undefined;
  /** Leaves out what is well. */
  readonly isOfProblems?: boolean;
}

export function formatStatus(status: AgentStatus, { now, width, isOfProblems = false }: TextOptions): string {
  /** What needs attention stands first, in the table as in its rows. */
  const section = <T extends { readonly state: string }>(
    title: string,
    columns: readonly string[],
    items: readonly T[],
    row: (item: T) => string[],
  ): Section => {
    const shown = isOfProblems ? items.filter((item) => needsLook(item)) : items;
    const sorted = [...shown].sort((a, b) => urgency(b.state) - urgency(a.state));
    const rows = sorted.map((item) =>
      row(item).map((cell) => (cell === item.state ? tonedState(cell) : unmarked(cell))),
    );
    const text = shown.length === 0 ? '' : `\n${formatTable([title, ...columns], rows, width)}`;
    return { text, urgency: Math.max(0, ...items.map(({ state }) => urgency(state))) };
  };
  const since = formatSpan(now - Date.parse(status.started_at));
  const headline = toned(headlineOf(status), toneOfVerdict(status));
  const verdict = `latchkey ${unmarked(status.version)}, pid ${status.pid}, up ${since}, ${headline}\n`;
  const head = [
    ...causes(status.waits),
    ...faults(status),
    ...status.troubles.map(({ subject, message }) => `  ${subject}: ${message}\n`),
  ];
  const sections = [
    section('UPSTREAM', ['STATE', 'SINCE', 'ADDRESS', 'LOGIN', 'SAYS'], status.upstreams, (one) =>
      rowOfUpstream(one, now),
    ),
    section('SECRET', ['STATE', 'VERSION', 'AGE', 'ENDS', 'NEXT', 'SAYS'], status.secrets, (one) =>
      rowOfSecret(one, status, now),
    ),
    section('FILE', ['STATE', 'SAYS'], status.files, (one) => [
      one.destination,
      one.state,
      sayOfFile(one, status, now),
    ]),
    section('PROCESS', ['STATE', 'PID', 'RESTARTS', 'SAYS'], status.processes, (one) => [
      one.name,
      one.state,
      one.pid === undefined ? '-' : String(one.pid),
      String(one.restarts),
      one.message ?? '',
    ]),
    section('LISTENER', ['STATE', 'SERVES'], status.listeners, (one) => [
      one.address,
      one.state,
      one.error ?? one.serve.join(','),
    ]),
  ];
  const weight = ({ urgency: own }: Section): number => (own > 1 ? own : 0);
  sections.sort((a, b) => weight(b) - weight(a));
  return [
    verdict,
    ...head.map(unmarked),
    ...sections.map(({ text }) => text),
    ...pointers(status, width).map(unmarked),
  ].join('');
}

interface Section {
  readonly text: string;
  readonly urgency: number;
}

/** Every state of everything that has one: 0 is well, 1 under way, 2 of lesser matter, 3 broken. */
const urgencies: Readonly<Record<string, 0 | 1 | 2 | 3>> = {
  ...{ ready: 0, fresh: 0, current: 0, running: 0, listening: 0 },
  ...{
    starting: 1,
    logging_in: 1,
    stage: 1,
    check: 1,
    commit: 1,
    notify: 1,
    settle: 1,
    retire: 1,
    stopping: 1,
  },
  ...{
    stale: 2,
    removed: 2,
    owed: 2,
    waiting: 2,
    pending: 2,
    backoff: 2,
    exited: 2,
    rate_limited: 2,
    standby: 2,
  },
};

function urgency(state: string): number {
  return urgencies[state] ?? 3;
}

/** By its state, or because somebody else changed it. */
function needsLook(item: {
  readonly state: string;
  readonly drift?: { readonly open?: boolean } | null;
}): boolean {
  return urgency(item.state) > 1 || item.drift?.open === true;
}

function tonedState(state: string): string {
  return toned(state, (['good', undefined, 'warn', 'bad'] as const)[urgency(state)]);
}

function toneOfVerdict({ ready, degraded }: AgentStatus): Tone {
  if (!ready) return 'bad';
  return degraded.length === 0 ? 'good' : 'warn';
}

/** Where to ask on: at the end, where the next command is typed. One that does not fit would be of no use. */
function pointers({ secrets, files }: AgentStatus, width = Number.POSITIVE_INFINITY): string[] {
  const failing = files.find(({ failure }) => failure !== undefined);
  const broken = secrets.find(({ names, error }) => names.length > 0 && error !== null);
  const asks = [
    ...(failing === undefined ? [] : [`latchkey explain ${failing.destination}`, 'latchkey timeline']),
    ...(broken === undefined ? [] : [`latchkey explain ${broken.names[0] ?? ''}`]),
  ];
  const lines = asks.map((ask) => `more: ${ask}`).filter((line) => line.length <= width);
  return lines.length === 0 ? [] : ['\n', ...lines.map((line) => `${line}\n`)];
}

function rowOfUpstream(one: UpstreamStatus, now: number): string[] {
  const since = formatSpan(now - Date.parse(one.since));
  return [one.name, one.state, since, one.address, one.login?.state ?? '-', sayOfUpstream(one)];
}

function rowOfSecret(one: SecretStatus, status: AgentStatus, now: number): string[] {
  return [
    one.names.join(',') || shownPath(one, status.secrets),
    one.state,
    one.version === null ? '-' : String(one.version),
    one.age_seconds === null ? '-' : formatSpan(one.age_seconds * 1000),
    until(one.last_value?.until ?? one.expires_at, now),
    one.next === null ? '-' : planned(one.next, now),
    [withoutCause(one.error?.message ?? '', status), lastValue(one)].filter((text) => text !== '').join('; '),
  ];
}

/** Whose doing it is that the last value is still handed out, or is not any more. */
function lastValue({ state, last_value: last }: SecretStatus): string {
  if (last === null || last.by === 'end') return '';
  if (state === 'expired') return `not handed out any more by ${last.why}`;
  return last.until === null ? `handed out by ${last.why}` : `handed out until ${last.until} by ${last.by}`;
}

/** What an upstream says stands in its own row, and not again in those of all that wait for it. */
function withoutCause(text: string, { upstreams }: AgentStatus): string {
  for (const { name, message } of upstreams) {
    if (message === undefined) continue;
    if (text === message) return `waits for upstream ${name}`;
    if (text.endsWith(`: ${message}`)) return text.slice(0, -message.length - 2);
  }
  return text;
}

function sayOfUpstream({ message, clock_skew_seconds: skew }: UpstreamStatus): string {
  const clocks =
    skew === undefined
      ? []
      : [`its clock is ${formatSpan(Math.abs(skew) * 1000)} ${skew < 0 ? 'behind' : 'ahead of'} this host's`];
  return [...(message === undefined ? [] : [message]), ...clocks].join('; ');
}

/** What waits for another of the list is counted there, and not told again. */
function causes(waits: readonly WaitStatus[]): string[] {
  const bySubject = new Map(waits.map((one) => [one.subject, one]));
  const rootOf = (one: WaitStatus, depth = 0): WaitStatus => {
    const next = one.cause === null ? undefined : bySubject.get(one.cause);
    return next === undefined || depth > waits.length ? one : rootOf(next, depth + 1);
  };
  const counts = new Map<WaitStatus, number>();
  for (const one of waits) {
    const root = rootOf(one);
    counts.set(root, (counts.get(root) ?? 0) + (root === one ? 0 : 1));
  }
  return [...counts].map(([{ subject, message }, count]) => {
    const others = count === 0 ? '' : ` (${counted(count, 'thing waits', 'things wait')} for it)`;
    return `  ${subject}: ${message}${others}\n`;
  });
}

/** Wrong, though everything is in place: the next start would not go as this one does. */
function faults({ config, files, upstreams }: AgentStatus): string[] {
  const broken = files.filter(({ template_problem: problem }) => problem !== null);
  const refused = config.reload_error?.split('\n').map((line) => `    ${line}\n`) ?? [];
  return [
    ...(refused.length === 0
      ? []
      : [
          '  the config on disk is refused, the one before is in force; the next start would fail:\n',
          ...refused,
        ]),
    ...upstreams
      .flatMap(({ sinks = [] }) => sinks)
      .flatMap(({ path, error }) =>
        error === null ? [] : [`  sink ${path}: ${error}; it is tried again\n`],
      ),
    ...broken.map(
      ({ destination, template_problem: problem }) =>
        `  ${destination}: the template on disk is broken, the one before is in force: ${problem}\n`,
    ),
  ];
}

/** Nothing where the state tells it all. */
function sayOfFile(file: FileStatus, status: AgentStatus, now: number): string {
  if (file.says === file.state || (file.state === 'current' && file.drift?.open !== true)) return '';
  const says = withoutCause(file.says, status);
  if (file.retry_at === null || file.retry_at === undefined) return says;
  return `${says}; tried again in ${formatSpan(Math.max(0, Date.parse(file.retry_at) - now))}`;
}

function until(time: string | null, now: number): string {
  if (time === null) return '-';
  const ms = Date.parse(time) - now;
  return ms < 0 ? `${formatSpan(ms)} ago` : formatSpan(ms);
}

/** A clock that was set may have left the time of it behind. */
function planned({ action, at }: { action: string; at: string | null }, now: number): string {
  const ms = at === null ? 0 : Date.parse(at) - now;
  return ms < 0 ? `${action} now` : `${action} in ${formatSpan(ms)}`;
}
