// Whatever has a name in sentences: what it waits for, since when and why.
import type { ExplainedFile, Explanation } from '../../api/admin.ts';
import { apiMoment, apiTime } from '../../api/api-time.ts';
import { shownPath } from '../../api/shown-path.ts';
import type { AgentStatus } from '../../api/status.ts';
import { nearest } from '../../base/text/nearest.ts';
import type { ResolvedConfig } from '../../config/resolved.ts';
import type { FileExplanation } from '../../files/view/file-status.ts';
import { isAskedFor } from '../../server/hooks/hook-events.ts';
import { shownVersion } from '../../store/secret-version.ts';
import type { Core } from '../wire.ts';
import { explainPlaces, namesOfPlaces } from './explain-places.ts';
import { statusOf } from './status.ts';
import type { StatusSources } from './status-sources.ts';

/** By the config's name, the path (as `status` shows it too) or the key of a secret, a file's destination, a process's or an upstream's name. */
export function explainSubject(
  subject: string,
  core: Core,
  sources: StatusSources,
  config: ResolvedConfig,
): Explanation | undefined {
  const status = statusOf(sources);
  const secrets = status.secrets.filter(
    (one) =>
      one.names.includes(subject) || [one.path, one.key, shownPath(one, status.secrets)].includes(subject),
  );
  const file = core.files.explain(subject);
  const processes = status.processes.filter((one) => one.name === subject);
  const concerned = new Set([subject, ...secrets.map(({ upstream }) => upstream)]);
  const upstreams = status.upstreams.filter(({ name }) => concerned.has(name));
  const listeners = status.listeners.filter(
    ({ place, address }) => place === subject || address === subject || address.endsWith(` ${subject}`),
  );
  const places = explainPlaces(subject, { config, status, registry: core.registry });
  const count = upstreams.length + secrets.length + processes.length + listeners.length + places.length;
  if (count === 0 && file === undefined) return undefined;
  const asked = secrets.flatMap(({ names }) => names);
  return {
    upstreams,
    hooks: config.hooks
      .filter((hook) => asked.some((name) => isAskedFor(hook, name)))
      .map(({ name }) => name),
    secrets,
    files: file === undefined ? [] : [explainedFile(file, core)],
    processes,
    listeners,
    places,
    uses: processes.flatMap(({ name }) => usesOf(name, status)),
    used_by: upstreams.some(({ name }) => name === subject) ? usersOf(subject, status) : null,
  };
}

const mostNames = 20;

function usersOf(upstream: string, { secrets }: AgentStatus): Explanation['used_by'] {
  const own = secrets.filter((one) => one.upstream === upstream);
  const names = own.slice(0, mostNames).map(({ names: [name], path }) => name ?? path);
  return { names, count: own.length };
}

function usesOf(process: string, { secrets }: AgentStatus): string[] {
  const own = secrets.filter(({ consumers }) =>
    consumers.some(({ consumer }) => consumer === `process:${process}`),
  );
  return own.map(({ names: [name], path }) => name ?? path);
}

/** What is nearest to a word that is nothing's name; undefined: nothing is near. */
export function nearestSubject(
  subject: string,
  config: ResolvedConfig,
  status: AgentStatus,
): string | undefined {
  const { secrets, files, processes, upstreams } = status;
  return nearest(subject, [
    ...secrets.flatMap((one) => [...one.names, one.path, shownPath(one, secrets)]),
    ...files.map(({ destination }) => destination),
    ...[...processes, ...upstreams].map(({ name }) => name),
    ...namesOfPlaces(config, status),
  ]);
}

function explainedFile(file: FileExplanation, core: Core): ExplainedFile {
  const { destination, state, since, why, notifications, trace, secrets, notes } = file;
  return {
    destination,
    state,
    since: apiTime(since),
    why,
    notifications,
    trace: trace.map(({ step, at }) => `${apiMoment(at).slice(11)} ${step}`),
    secrets: secrets.map((use) => explainedUse(use, core)),
    notes,
  };
}

/** Versions as everywhere else: upstream's number where it has one. Of one that nobody holds only the store's is left. */
function explainedUse(
  { key, state, usedVersion, currentVersion }: FileExplanation['secrets'][number],
  { store, names }: Core,
): ExplainedFile['secrets'][number] {
  const entry = store.find(key);
  const known = [...store.holders(key).values(), ...(entry?.current === undefined ? [] : [entry.current])];
  const shown = (number: number | undefined): number | undefined => {
    const version = known.find((one) => one.number === number);
    return version === undefined ? number : shownVersion(version);
  };
  return {
    key,
    name: names.namesOf(key)[0] ?? entry?.reference.path ?? key,
    state,
    usedVersion: shown(usedVersion),
    currentVersion: shown(currentVersion),
  };
}
