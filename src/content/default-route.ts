// The interface of the default route, as Linux tells it; for the template function `sockaddr`.
import { readFileSync } from 'node:fs';

/** Undefined where there is no default route, or no way to know. */
export function defaultRouteInterface(): string | undefined {
  let table: string;
  try {
    table = readFileSync('/proc/net/route', 'utf8');
  } catch {
    // Not Linux, or a sandbox without /proc: addresses are then sorted without it.
    return undefined;
  }
  const routes = table
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
    .filter(([, destination]) => destination === '00000000');
  return routes.toSorted((a, b) => Number(a[6]) - Number(b[6]))[0]?.[0];
}
