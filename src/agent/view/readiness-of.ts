// Whether the agent is ready and, where it is not, what waits for what; and what is wrong though it is ready. Each cause is
// there once: what waits for it names it.

import type { WaitStatus } from '../../api/status.ts';
import { counted } from '../../base/text/counted.ts';
import type { FileTrouble } from '../../files/view/file-status.ts';
import type { Entry } from '../../store/entry.ts';
import type { StatusSources } from './status-sources.ts';

export interface Readiness {
  readonly isReady: boolean;
  /** One clause for each that is not in place. */
  readonly missing: readonly string[];
  readonly waits: readonly WaitStatus[];
}

/** Ready: logged in everywhere, what is served can be recorded, and every required secret, file and process is in place. */
export function readinessOf(sources: StatusSources): Readiness {
  const away = upstreamsAway(sources);
  const secrets = secretsMissing(sources, away);
  const files = filesMissing(sources, secrets);
  const waits = [
    ...away.values(),
    ...secrets.values(),
    ...files,
    ...processesMissing(sources, [...files, ...secrets.values(), ...away.values()]),
    ...auditFailing(sources),
  ];
  const missing = waits.map(({ subject, message }) => `${subject}: ${message}`);
  return { isReady: missing.length === 0, missing, waits };
}

function upstreamsAway(sources: StatusSources): Map<string, WaitStatus> {
  const away = new Map<string, WaitStatus>();
  const lacks = (upstream: string): boolean =>
    sources.names
      .all()
      .some(
        ({ config, entry }) =>
          config.isRequired && entry.current === undefined && entry.reference.upstream === upstream,
      );
  for (const upstream of sources.upstreams()) {
    const { name, login, state, message } = upstream.status();
    // Where there is no login, being away matters to who lacks something: values that are held serve on, as everywhere.
    if (login === undefined ? state === 'ready' || !lacks(name) : login.state === 'logged_in') continue;
    away.set(name, { subject: `upstream ${name}`, message: message ?? state, cause: null });
  }
  return away;
}

/** By the key of the entry. */
function secretsMissing(
  sources: StatusSources,
  away: ReadonlyMap<string, WaitStatus>,
): Map<string, WaitStatus> {
  const missing = new Map<string, WaitStatus>();
  for (const { config, entry } of sources.names.all()) {
    if (!config.isRequired || entry.current !== undefined) continue;
    const { upstream } = entry.reference;
    const cause = away.get(upstream)?.subject ?? null;
    const message = cause === null ? why(entry) : `${entry.state}: waits for upstream ${upstream}`;
    missing.set(entry.key, { subject: `secret ${config.name}`, message, cause });
  }
  return missing;
}

function filesMissing(sources: StatusSources, secrets: ReadonlyMap<string, WaitStatus>): WaitStatus[] {
  return sources
    .unwellFiles()
    .filter(({ isReady }) => !isReady)
    .map((file) => {
      const cause = file.failure === undefined ? secrets.get(file.missing[0]?.key ?? '')?.subject : undefined;
      return {
        subject: `file ${file.destination}`,
        message: whyFile(file, secrets),
        cause: cause ?? null,
      };
    });
}

/** A process says in its message what it waits for: a file or a variable. */
function processesMissing(sources: StatusSources, before: readonly WaitStatus[]): WaitStatus[] {
  return sources
    .processes()
    .filter(({ isInPlace }) => !isInPlace)
    .map(({ name, state, message = state }) => {
      const isWaiting = state === 'waiting';
      const named = before.find(({ subject }) => message.includes(subject.slice(subject.indexOf(' ') + 1)));
      return {
        subject: `process ${name}`,
        message,
        cause: isWaiting ? ((named ?? before.at(-1))?.subject ?? null) : null,
      };
    });
}

/** Nothing is handed out that is not recorded: to those who ask the agent is not there. */
function auditFailing(sources: StatusSources): WaitStatus[] {
  const { state, on_failure, error, file } = sources.audit();
  if (state !== 'failing' || on_failure !== 'deny') return [];
  return [
    { subject: 'audit', message: `nothing is served: ${error ?? `${file} cannot be written`}`, cause: null },
  ];
}

const unwellStates = ['stale', 'removed', 'denied', 'expired'] as const;

/** What is wrong although everything is in place, in a few words each. */
export function degradedOf(sources: StatusSources): string[] {
  const secrets = Map.groupBy(sources.store.entries(), ({ state }) => state);
  const files = sources.unwellFiles();
  const upstreams = [...sources.upstreams()].map((upstream) => upstream.status());
  const sinks = upstreams.flatMap((upstream) => upstream.sinks ?? []);
  return [
    ...upstreams
      .filter(({ state, login }) => state !== 'ready' && login?.state === 'logged_in')
      .map(({ name, state }) => `${name} ${state.replaceAll('_', ' ')}`),
    ...unwellStates.flatMap((state) => some(secrets.get(state)?.length ?? 0, 'secret', state)),
    ...some(sinks.filter(({ error }) => error !== undefined).length, 'token sink', 'failing'),
    ...some(files.filter(({ failure }) => failure !== undefined).length, 'file', 'failing'),
    ...some(files.filter(({ drift }) => drift?.isOpen === true).length, 'file', 'changed by others'),
    ...some(
      files.filter(({ templateProblem }) => templateProblem !== undefined).length,
      'template',
      'broken',
    ),
    ...(sources.config().reloadError === undefined ? [] : ['config on disk refused']),
    ...(sources.audit().state === 'failing' ? ['audit failing'] : []),
    ...sources.troubles().map(({ subject }) => `${subject} failing`),
  ];
}

function some(count: number, what: string, how: string): string[] {
  return count === 0 ? [] : [`${counted(count, what)} ${how}`];
}

function why(entry: Entry): string {
  return entry.error === undefined ? entry.state : `${entry.state}: ${entry.error.message}`;
}

/** One clause: the failure, else the first secret that it waits for (and why, unless that was told), else its state. */
export function whyFile(file: FileTrouble, told: ReadonlyMap<string, unknown> = new Map()): string {
  if (file.failure !== undefined) return `${file.failure.step} failed: ${file.failure.message}`;
  if (file.drift?.isOpen === true) return `somebody else changed it: ${file.drift.what}`;
  const [first] = file.missing;
  if (first === undefined) return file.state;
  return `waits for ${first.name}${told.has(first.key) ? '' : `: ${first.message ?? first.reason}`}`;
}
