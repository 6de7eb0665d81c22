// One secret, file or process in sentences: what it waits for, since when and why.
import type { ExplainedFile, Explanation } from '../../api/admin.ts';
import { apiMoment, apiTime } from '../../api/api-time.ts';
import type { FileExplanation } from '../../files/view/file-status.ts';
import type { Core } from '../wire.ts';
import { type StatusSources, statusOf } from './status.ts';

/** By the config's name, the path or the key of a secret, a file's destination or a process's name. */
export function explainSubject(subject: string, core: Core, sources: StatusSources): Explanation | undefined {
  const status = statusOf(sources);
  const secrets = status.secrets.filter(
    (one) => one.names.includes(subject) || one.path === subject || one.key === subject,
  );
  const file = core.files.explain(subject);
  const processes = status.processes.filter((one) => one.name === subject);
  if (secrets.length + processes.length === 0 && file === undefined) return undefined;
  return { secrets, files: file === undefined ? [] : [explainedFile(file)], processes };
}

function explainedFile(file: FileExplanation): ExplainedFile {
  const { destination, state, since, why, notifications, trace, secrets, notes } = file;
  return {
    destination,
    state,
    since: apiTime(since),
    why,
    notifications,
    trace: trace.map(({ step, at }) => `${apiMoment(at).slice(11)} ${step}`),
    secrets,
    notes,
  };
}
