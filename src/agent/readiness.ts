// Readiness as events: who waits until something is in place is woken by what may have put it there, never by a clock.

import { type ErrorCode, LatchkeyError, type ToldError } from '../base/errors.ts';
import type { Clock } from '../base/time/clock.ts';
import { createEarliestTimer } from '../base/time/earliest-timer.ts';
import { anyChange, type Changes, until } from '../base/time/until.ts';
import type { MissingValue } from '../content/environment-source.ts';
import type { Refusals } from '../files/view/render-once.ts';
import type { SourceStateName } from '../upstream/source-state.ts';
import type { Core } from './wire.ts';

export interface ReadinessWatch {
  /** For what no change tells. */
  look(): void;
  close(): void;
}

interface WatchOptions {
  readonly changes: Changes;
  readonly clock: Clock;
  /** Much is under way, and more changes will come when it is done. */
  isBusy(): boolean;
  /** Called soon after changes, however many they are. */
  look(): void;
}

/** A start of a thousand files is many events: they are looked at together, and no more than a tenth of the time. */
const gatherMs = 50;
const busyMs = 500;

/** Looks soon, and soon after each change. Nothing runs while nothing changes. */
export function watchReadiness({ changes, clock, isBusy, look }: WatchOptions): ReadinessWatch {
  let calmMs = gatherMs;
  const timer = createEarliestTimer(clock, () => {
    const begin = performance.now();
    look();
    calmMs = Math.min(Math.max(gatherMs, 10 * (performance.now() - begin)), busyMs);
  });
  const stir = (): void => timer.within(isBusy() ? busyMs : calmMs);
  const stop = changes(stir);
  stir();
  return {
    look: stir,
    close() {
      stop();
      timer.cancel();
    },
  };
}

const refusedStates: Partial<Record<SourceStateName, ErrorCode>> = {
  login_failed: 'login_failed',
  denied: 'denied',
};
/** What upstream says of a secret that waiting does not mend. */
const lasting: ReadonlySet<ErrorCode> = new Set(['not_found', 'mount_not_found', 'denied', 'login_failed']);

/** Why waiting for this secret is in vain: upstream said so, or refuses the login. Undefined: it may come. */
export function refusalOf(
  { store, upstreams }: Pick<Core, 'store' | 'upstreams'>,
  key: string,
): ToldError | undefined {
  const entry = store.find(key);
  if (entry === undefined || entry.current !== undefined) return undefined;
  if (entry.error !== undefined && lasting.has(entry.error.code)) return entry.error;
  const upstream = upstreams.byName().get(entry.reference.upstream)?.status();
  const code = upstream && refusedStates[upstream.state];
  if (upstream === undefined || code === undefined) return undefined;
  return { code, message: upstream.message ?? `upstream ${upstream.name} refuses the login` };
}

export function refusalsOf(core: Core): Refusals {
  return { changes: core.changes, saidOf: (key) => refusalOf(core, key)?.message };
}

/**
 * Resolves when `look` finds nothing that is missing. Rejects as soon as something is refused, with its code, and with
 * `upstream_unavailable` when the signal comes first.
 */
export async function untilInPlace(
  core: Core,
  options: { readonly changes: Changes; readonly signal: AbortSignal; look(): readonly MissingValue[] },
): Promise<void> {
  const { changes, signal, look } = options;
  const isInPlace = (): boolean => {
    const missing = look();
    for (const { key, name, reason, code } of missing) {
      const refusal = code === undefined ? refusalOf(core, key) : { code, message: reason };
      if (refusal !== undefined) throw new LatchkeyError(refusal.code, `${name}: ${refusal.message}`);
    }
    return missing.length === 0;
  };
  await until(anyChange(changes, core.changes), isInPlace, signal).catch((error: unknown) => {
    throw signal.aborted ? notInTime(look()) : error;
  });
}

function notInTime([first]: readonly MissingValue[]): LatchkeyError {
  const what = first === undefined ? 'its values' : `${first.name} (${first.reason})`;
  return new LatchkeyError(
    'upstream_unavailable',
    `the program was not started: ${what} did not come in time`,
    { remedy: 'look whether the upstream answers, or give it longer with --timeout' },
  );
}
