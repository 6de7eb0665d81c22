// Whether the budget of each upstream bears what its secrets ask for: where it does not, `refresh` is silently missed.
import type { Problems } from '../problems.ts';
import type { SecretConfig } from '../resolved.ts';
import type { MergedConfig } from '../sources/merge.ts';
import type { UpstreamConfig } from '../upstreams/kinds.ts';

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
    const { requestsPerSecond } = upstream.budget;
    if (demand <= requestsPerSecond) continue;
    const place = merged.upstreams.find(({ name }) => name === upstream.name)?.place.at('budget');
    if (place === undefined) continue;
    const position = place.source.locate(place.path, 'key');
    problems.warn(
      position?.file ?? place.source.file,
      position,
      `refresh cannot be kept: ${polled.length} secrets ask ${Math.ceil(demand)} times a second, and requests_per_second is ${requestsPerSecond}; set it to ${Math.ceil(demand * 1.2)} or refresh less often`,
      place.name,
    );
  }
}
