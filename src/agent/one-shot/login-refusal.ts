// For one-shot use: a login that is refused does not come by waiting, other than a server that is away.
import type { SourceStateName } from '../../upstream/secret-source.ts';
import type { Core } from '../wire.ts';

/** What waits for the login is told of its failure, and what waits for that in turn hears of it so much later. */
const graceMs = 50;
/** The same where something is never told. */
const longestGraceMs = 2000;
const refusals: ReadonlySet<SourceStateName> = new Set(['login_failed', 'denied']);

/** Aborted when `signal` is, or soon after a login was refused. Call `dispose` in the end. */
export function untilLoginRefused(
  core: Core,
  signal: AbortSignal,
): { readonly signal: AbortSignal; dispose(): void } {
  const refused = new AbortController();
  const timers: NodeJS.Timeout[] = [];
  const upstreams = new Set<string>();

  function abortIn(ms: number): void {
    timers.push(setTimeout(() => refused.abort(), ms));
  }

  function look(): void {
    if (upstreams.size === 0 || timers.length > 1) return;
    const isTold = [...core.store.entries()].every(
      ({ reference, current, error }) =>
        !upstreams.has(reference.upstream) || current !== undefined || error !== undefined,
    );
    if (isTold) abortIn(graceMs);
  }

  const stops = [...core.upstreams.byName().values()].map((upstream) =>
    upstream.listen({
      status({ name, state }) {
        if (!refusals.has(state)) return;
        if (upstreams.size === 0) abortIn(longestGraceMs);
        upstreams.add(name);
        look();
      },
    }),
  );
  stops.push(core.store.listen({ updated: look }));
  return {
    signal: AbortSignal.any([signal, refused.signal]),
    dispose() {
      for (const timer of timers) clearTimeout(timer);
      for (const stop of stops) stop();
    },
  };
}
