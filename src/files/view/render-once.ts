// For one-shot use: waits until each file is current, has failed, or waits for what is known not to come.
import type { ErrorCode } from '../../base/errors.ts';
import { anyChange, type Changes, nextChange, until } from '../../base/time/until.ts';
import type { MissingDependency } from '../../content/template-consumer.ts';
import type { Store } from '../../store/store.ts';
import type { FileRegister } from '../file-register.ts';
import type { FileSet, ManagedFile } from '../file-set.ts';

export interface RenderResult {
  readonly destination: string;
  /** `written`; `same`: it had the right bytes already; `failed`; `missing`: secrets will not or did not come. */
  readonly outcome: 'written' | 'same' | 'failed' | 'missing';
  readonly missing: readonly MissingDependency[];
  /** One sentence, where it failed. */
  readonly message: string | undefined;
  readonly code: ErrorCode | undefined;
}

/** What does not come by waiting, though nobody says so of the secret itself: its upstream refuses the login. */
export interface Refusals {
  /** Why; undefined: it may come. */
  saidOf(key: string): string | undefined;
  readonly changes: Changes;
}

export const noRefusals: Refusals = { saidOf: () => undefined, changes: () => () => undefined };

interface WatchOptions {
  readonly register: FileRegister;
  readonly store: Store;
  readonly idle: () => Promise<void>;
  /** After each transaction. */
  readonly changes: Changes;
  readonly signal: AbortSignal;
  readonly refusals: Refusals;
}

/** Resolves early with what there is when the signal is aborted. */
export async function watchUntilRendered(options: WatchOptions): Promise<RenderResult[]> {
  const { register, store, idle, changes, signal, refusals } = options;
  const listen = anyChange(changes, refusals.changes, changesOf(store));
  const isRendered = async (): Promise<boolean> => {
    await Promise.race([idle(), nextChange(listen, signal).catch(() => undefined)]);
    return register.files().every((file) => isDecided(file, register.setOf(file), refusals));
  };
  await until(listen, isRendered, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  return register.files().map((file) => resultOf(file, register.setOf(file)));
}

export function changesOf(store: Store): Changes {
  return (listener) => store.listen({ changed: listener, updated: listener });
}

function isDecided(file: ManagedFile, set: FileSet, refusals: Refusals): boolean {
  if (set.isRunning) return false;
  if (set.step === 'current' || set.step === 'failing' || set.step === 'owed') return !hasNews(file, set);
  if (set.step !== 'waiting') return false;
  const isSome = (test: (one: MissingDependency) => boolean) =>
    set.files.some(({ consumer }) => consumer?.isMissing(test) === true);
  return !isSome((one) => !isKnownNotToCome(one, refusals)) && isSome(() => true);
}

export function isKnownNotToCome({ key, reason }: MissingDependency, refusals: Refusals): boolean {
  return (reason !== 'pending' && reason !== 'failed') || refusals.saidOf(key) !== undefined;
}

/** A change that came while the transaction ran. */
function hasNews(file: ManagedFile, set: FileSet): boolean {
  return file.isDirty && set.step === 'current';
}

function resultOf(file: ManagedFile, set: FileSet): RenderResult {
  const missing = file.consumer?.missing() ?? [];
  const common = { destination: file.config.destination, missing };
  const { failure } = set;
  if (failure !== undefined)
    return { ...common, outcome: 'failed', message: failure.message, code: failure.code };
  if (set.step === 'current') {
    const outcome = file.committedAt === undefined ? 'same' : 'written';
    return { ...common, outcome, message: undefined, code: undefined };
  }
  // Of a set, the file that waits may be another one.
  const first = missing[0] ?? set.files.flatMap((one) => one.consumer?.missing() ?? [])[0];
  const code = first === undefined ? 'timeout' : missingCodes[first.reason];
  return { ...common, outcome: 'missing', message: first?.message ?? first?.key, code };
}

const missingCodes: Readonly<Record<MissingDependency['reason'], ErrorCode>> = {
  pending: 'timeout',
  absent: 'not_found',
  denied: 'denied',
  failed: 'upstream_unavailable',
  unknown: 'template_failed',
};
