// The proxy on the way to the vault, which the environment of other tools names.
import type { Path } from '../problems.ts';
import { proxyFromEnvironment } from '../upstreams/proxy.ts';
import type { Draft } from './draft.ts';

export function draftProxy(
  draft: Draft,
  upstream: Path,
  address: string,
  variable: (name: string) => string | undefined,
): void {
  const found = proxyFromEnvironment(address, variable);
  if (found === undefined) return;
  draft.set([...upstream, 'proxy'], found.url, {
    file: 'environment',
    position: undefined,
    name: `$${found.name}`,
  });
}
