// For one-shot use: a login that is refused does not come by waiting, other than a server that is away.
import type { UpstreamStateName } from '../upstream/upstream.ts';
import type { Core } from './wire.ts';

/** What waits for the login hears of its failure first, and so can tell it. */
const graceMs = 50;
const refusals: ReadonlySet<UpstreamStateName> = new Set(['login_failed', 'denied']);

/** Aborted when `signal` is, or soon after a login was refused. Call `dispose` in the end. */
export function untilLoginRefused(
  core: Core,
  signal: AbortSignal,
): { readonly signal: AbortSignal; dispose(): void } {
  const refused = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const stops = [...core.upstreams.byName().values()].map((upstream) =>
    upstream.listen({
      status({ state }) {
        if (refusals.has(state)) timer ??= setTimeout(() => refused.abort(), graceMs);
      },
    }),
  );
  return {
    signal: AbortSignal.any([signal, refused.signal]),
    dispose() {
      clearTimeout(timer);
      for (const stop of stops) stop();
    },
  };
}
