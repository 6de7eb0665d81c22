// What an operator has to look at, one line each, causes first: the page's first section.
import type { FileStatus, ProcessStatus, UpstreamStatus } from '../../../api/status.ts';
import type { PageHead, PageSecret } from '../page-state.ts';

export interface Host {
  readonly head: PageHead;
  readonly upstreams: readonly UpstreamStatus[];
  readonly secrets: readonly PageSecret[];
  readonly files: readonly FileStatus[];
  readonly processes: readonly ProcessStatus[];
}

const mostLines = 30;

/** What waits for another of the list is counted there. */
export function attentionOf(host: Host): string[] {
  const lines = new Map<string, string>();
  const add = (subject: string, text: string): void => {
    if (!lines.has(subject)) lines.set(subject, text);
  };
  const { head } = host;
  const upstreams = host.upstreams.filter(({ state }) => state !== 'ready');
  const away = new Set(upstreams.map(({ name }) => name));
  for (const { name, state, message } of upstreams) {
    const waiting = host.secrets.filter((one) => one.upstream === name && one.error !== null).length;
    add(
      `upstream ${name}`,
      `${message ?? state.replaceAll('_', ' ')}${waiting === 0 ? '' : ` (${counted(waiting)})`}`,
    );
  }
  for (const { subject, message, cause } of head.waits) if (cause === null) add(subject, message);
  if (head.config.reload_error !== null)
    add('config', `what is on disk is refused, the one before is in force: ${head.config.reload_error}`);
  if (head.audit.error !== null) add('audit', head.audit.error);
  for (const { subject, message } of head.troubles) add(subject, message);
  for (const one of host.upstreams)
    for (const { path, error } of one.sinks ?? []) if (error !== null) add(`sink ${path}`, error);
  for (const one of host.secrets)
    if (one.error !== null && !away.has(one.upstream))
      add(`secret ${one.names[0] ?? one.path}`, one.error.message);
  for (const { destination, failure, drift, template_problem: problem } of host.files) {
    if (failure !== undefined) add(`file ${destination}`, `${failure.step} failed: ${failure.message}`);
    else if (drift?.open === true) add(`file ${destination}`, `somebody else changed it: ${drift.what}`);
    else if (problem !== null)
      add(`file ${destination}`, `the template on disk is broken, the one before is in force: ${problem}`);
  }
  for (const { name, ready, state, message } of host.processes)
    if (!ready) add(`process ${name}`, message ?? state);
  const all = [...lines].map(([subject, text]) => `${subject}: ${text}`);
  return all.length <= mostLines
    ? all
    : [...all.slice(0, mostLines), `and ${all.length - mostLines} more, in the tables below`];
}

function counted(secrets: number): string {
  return secrets === 1 ? '1 secret waits for it' : `${secrets} secrets wait for it`;
}
