// Whether the budget of each upstream bears what its secrets ask for: where it does not, `refresh` is silently missed.
import { counted, timesText } from '../../base/text/counted.ts';
import type { Problems } from '../problems.ts';
import type { SecretConfig } from '../resolved.ts';
import type { MergedConfig } from '../sources/merge.ts';
import type { UpstreamConfig } from '../upstreams/kinds.ts';
import type { ServerConfig } from '../upstreams/server-config.ts';

export function checkDemand(
  upstreams: readonly UpstreamConfig[],
  secrets: readonly SecretConfig[],
  merged: MergedConfig,
  problems: Problems,
): void {
  for (const upstream of upstreams) {
    if (!('budget' in upstream)) continue;
    const polled = secrets.filter(
      (secret) => secret.upstream === upstream.name && secret.operation === 'read',
    );
    const demand = polled.reduce((sum, { refreshMs }) => sum + 1000 / refreshMs, 0);
    const message = unmet(upstream, polled.length, demand);
    const place = merged.upstreams.find(({ name }) => name === upstream.name)?.place.at('budget');
    if (place !== undefined && message !== undefined) problems.warn(place, message);
  }
}

function unmet(upstream: UpstreamConfig & ServerConfig, count: number, demand: number): string | undefined {
  const { budget, limits } = upstream;
  const { requestsPerSecond } = budget;
  if (demand > requestsPerSecond) {
    return `refresh cannot be kept: ${counted(count, 'secret asks', 'secrets ask')} ${timesText(Math.ceil(demand))} a second, and requests_per_second is ${requestsPerSecond}; set it to ${Math.ceil(demand * 1.2)} or refresh less often`;
  }
  // What many secrets ask for in one request is less than this; only what is far beyond is told.
  const tight = limits.find(({ meter, most, perMs }) => meter === 'reads' && demand > (most * 1000) / perMs);
  if (tight === undefined) return undefined;
  const times = Math.ceil((demand * tight.perMs) / 1000);
  return `refresh cannot be kept: ${counted(count, 'secret asks', 'secrets ask')} ${timesText(times)} in ${tight.perMs / 1000} s, and ${counted(tight.most, 'read is', 'reads are')} allowed in that time; refresh less often (it slows down by itself), or say in limits what is allowed`;
}
