// `validate --online`: logs in to every upstream as the agent would, and finds out whether it gives what the config asks
// for, without making, lending, revoking or writing anything; a token that a login made is revoked in the end.

import { describeError, type ErrorCode, errorCode, LatchkeyError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { systemSurroundings } from '../../base/surroundings.ts';
import { type Locate, placedLine } from '../../config/places.ts';
import { formatPath, type Path } from '../../config/problems.ts';
import { trustFault } from '../../config/resolve/check-modes.ts';
import type { ResolvedConfig } from '../../config/resolved.ts';
import { mayMint, type UpstreamConfig } from '../../config/upstreams/kinds.ts';
import { type Reference, referenceKey } from '../../store/reference.ts';
import { createSource, loadKinds } from '../../upstream/kinds.ts';
import type { Grant, SecretSource, Shortfall } from '../../upstream/secret-source.ts';
import { isUsedUp } from '../../upstream/vault/config/vault-config.ts';

/** What the config asks for, and where it says so: `secrets.db`, `files[0].template`. */
export interface Wanted {
  readonly at: Path;
  /** What it is called, where that is not its path. */
  readonly place?: string;
  readonly reference: Reference;
}

export interface UpstreamVerdict {
  readonly upstream: string;
  readonly kind: UpstreamConfig['kind'];
  /** What is missing or wrong, a line each. */
  readonly problems: readonly string[];
  /** What could not be found out, and why. */
  readonly notes: readonly string[];
  /** What a policy of the login lacks, in Vault's language; undefined: nothing. */
  readonly policy: string | undefined;
  /** Undefined: all is well. `denied` where it only could not be found out. */
  readonly code: ErrorCode | undefined;
}

interface OnlineOptions {
  readonly config: ResolvedConfig;
  readonly wanted: readonly Wanted[];
  readonly locate?: Locate | undefined;
  readonly logger: Logger;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

interface Found {
  readonly problems: string[];
  readonly notes: string[];
  readonly grants: Grant[];
  code: ErrorCode | undefined;
}

const closeDeadlineMs = 10_000;

export async function validateOnline(options: OnlineOptions): Promise<UpstreamVerdict[]> {
  const { upstreams } = options.config;
  await loadKinds(upstreams);
  return await Promise.all(
    upstreams.map(async (config) => {
      const wanted = options.wanted.filter(({ reference }) => reference.upstream === config.name);
      const found = await checkUpstream(config, wanted, options);
      const { problems, notes, grants, code } = found;
      const policy = grants.length === 0 ? undefined : policyText(grants);
      return { upstream: config.name, kind: config.kind, problems, notes, policy, code };
    }),
  );
}

async function checkUpstream(
  config: UpstreamConfig,
  wanted: readonly Wanted[],
  options: OnlineOptions,
): Promise<Found> {
  const found: Found = { problems: [], notes: [], grants: [], code: undefined };
  const place = upstreamPlace(config.name, options);
  if (config.kind === 'vault' && isUsedUp(config.auth)) {
    found.problems.push(
      `${place}: not looked at: a login would use up what it is done with; ask the agent that runs (\`latchkey status\`)`,
    );
    found.code = 'not_ready';
    return found;
  }
  if (mayMint(config)) {
    found.notes.push(`${place}: not asked: what is asked of it may make a secret`);
    return found;
  }
  const source = createSource({
    ...systemSurroundings(options.logger, options.env),
    faultOf: options.config.areModesStrict ? trustFault : undefined,
    config: harmless(config),
  });
  try {
    await loggedIn(source, options.signal);
    await (source.vault === undefined
      ? askAll(source, wanted, found, options)
      : askVault(source, wanted, found, options));
  } catch (error) {
    found.problems.push(`${place}: ${describeError(error)}`);
    found.code = errorCode(error);
  } finally {
    await source.close({ revokeToken: true, signal: AbortSignal.timeout(closeDeadlineMs) });
  }
  return found;
}

/** The token goes to nobody else, and nothing stays subscribed. */
function harmless(config: UpstreamConfig): UpstreamConfig {
  return config.kind === 'vault' ? { ...config, sinks: [], events: false } : config;
}

/** Rejects with the first thing that went wrong, and does not wait for a better time. */
async function loggedIn(source: SecretSource, signal: AbortSignal): Promise<void> {
  const failed = Promise.withResolvers<never>();
  const giveUp = new AbortController();
  const stop = source.listen({
    status({ state, message = `it is ${state}` }) {
      if (state === 'starting' || state === 'logging_in' || state === 'ready') return;
      const isLogin = state === 'login_failed' || state === 'denied';
      const code = isLogin ? 'login_failed' : state === 'sealed' ? 'upstream_sealed' : 'upstream_unavailable';
      failed.reject(new LatchkeyError(code, message));
    },
  });
  source.start();
  const ready = source.ready(AbortSignal.any([signal, giveUp.signal]));
  try {
    await Promise.race([ready, failed.promise]);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new LatchkeyError('upstream_unavailable', 'it did not answer in time');
  } finally {
    stop();
    giveUp.abort();
    ready.catch(() => undefined); // said above
  }
}

async function askVault(
  source: Pick<SecretSource, 'name' | 'vault' | 'read'>,
  wanted: readonly Wanted[],
  found: Found,
  options: OnlineOptions,
): Promise<void> {
  const { vault } = source;
  if (vault === undefined) return;
  const { signal, locate } = options;
  const places = (reference: Reference): string => placesOf(reference, wanted, locate);
  const references = [
    ...new Map(wanted.map(({ reference }) => [referenceKey(reference), reference])).values(),
  ];
  const request = { priority: 'interactive', signal } as const;
  const report = await vault.rights(references, request);
  for (const shortfall of report.shortfalls)
    noteShortfall(shortfall, upstreamPlace(source.name, options), places, found);
  for (const { reference, grants } of report.readable) {
    const error = await errorOf(source, reference, signal);
    if (error === undefined) continue;
    noteProblem(found, `${places(reference)}: ${describeError(error)}`, 'not_ready');
    if (errorCode(error) === 'denied') found.grants.push(...grants);
  }
  for (const { reference, grant } of report.afterLeak) {
    found.notes.push(
      `${places(reference)}: \`latchkey rotate --revoke-now\` could not revoke it after a leak: the login lacks ${grant.capabilities.join(' and ')} on "${grant.path}"`,
    );
  }
  if (report.isTold) return;
  found.notes.push(
    `${upstreamPlace(source.name, options)}: the login may not ask what it may do (sys/capabilities-self): only what can be read without making anything was looked at`,
  );
  found.grants.push({ path: 'sys/capabilities-self', capabilities: ['update'] });
  for (const reference of report.untold) {
    found.notes.push(`${places(reference)}: ${reference.path}: could not be looked at`);
    found.code ??= 'denied';
  }
}

function noteShortfall(
  { reference, problem, anyOf }: Shortfall,
  upstream: string,
  places: (reference: Reference) => string,
  found: Found,
): void {
  const place = reference === undefined ? upstream : places(reference);
  if (problem === 'no_mount') {
    noteProblem(
      found,
      `${place}: nothing is mounted at "${reference?.path}"; check the path and the namespace`,
      'not_ready',
    );
    return;
  }
  const lacks = anyOf
    .map(({ path, capabilities }) => `${capabilities.join(' and ')} on "${path}"`)
    .join(', or ');
  noteProblem(found, `${place}: the login lacks ${lacks}`, 'not_ready');
  found.grants.push(...anyOf);
}

/** Of any kind but Vault: what it gives is read, which costs nothing there. */
async function askAll(
  source: SecretSource,
  wanted: readonly Wanted[],
  found: Found,
  { signal, locate }: OnlineOptions,
): Promise<void> {
  for (const { at, place: label = formatPath(at), reference } of wanted) {
    const place = placedLine(at, label, locate);
    if (/^(?:sts:|arn:[^:]*:iam:)/.test(reference.path)) {
      found.notes.push(`${place}: ${reference.path}: not asked: that would make a session`);
      continue;
    }
    const error = await errorOf(source, reference, signal);
    if (error === undefined) continue;
    const isAway = errorCode(error).startsWith('upstream_') && errorCode(error) !== 'upstream_denied';
    noteProblem(found, `${place}: ${describeError(error)}`, isAway ? errorCode(error) : 'not_ready');
  }
}

async function errorOf(
  source: Pick<SecretSource, 'read'>,
  reference: Reference,
  signal: AbortSignal,
): Promise<unknown> {
  try {
    await source.read(reference, { priority: 'interactive', signal });
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Something missing weighs more than what could not be found out. */
function noteProblem(found: Found, problem: string, code: ErrorCode): void {
  found.problems.push(problem);
  if (found.code === undefined || found.code === 'denied') found.code = code;
}

function upstreamPlace(name: string, { locate }: OnlineOptions): string {
  return placedLine(['upstreams', name], `upstreams.${name}`, locate);
}

/** Several have one file and line before them: of the first. */
function placesOf(reference: Reference, wanted: readonly Wanted[], locate: Locate | undefined): string {
  const key = referenceKey(reference);
  const asking = wanted.filter((one) => referenceKey(one.reference) === key);
  const labels = new Set(asking.map(({ at, place = formatPath(at) }) => place));
  return placedLine(asking[0]?.at ?? [], [...labels].join(', '), locate);
}

/** One stanza for each path, sorted, with all that is asked of it. */
function policyText(grants: readonly Grant[]): string {
  const byPath = new Map<string, Set<string>>();
  for (const { path, capabilities } of grants) {
    const before = byPath.get(path) ?? new Set<string>();
    byPath.set(path, new Set([...before, ...capabilities]));
  }
  return [...byPath]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([path, capabilities]) =>
        `path ${quoted(path)} {\n  capabilities = [${[...capabilities].map(quoted).join(', ')}]\n}\n`,
    )
    .join('');
}

/** As HCL writes it, in which `${` would begin an expression. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll('${', '$${');
}
