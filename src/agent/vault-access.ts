// What the Vault dialect needs of upstreams and lease engine: the upstream that it stands for, and the one owner of leases.
import { LatchkeyError } from '../base/errors.ts';
import type { AgentView } from '../server/agent-view.ts';
import { referenceKey } from '../store/reference.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Core } from './wire.ts';

/** The dialect stands for the first upstream of kind vault. */
export function createVaultAccess(
  core: Pick<Core, 'upstreams' | 'engine'>,
): Required<Pick<AgentView, 'forward' | 'vault'>> {
  const find = (): Upstream | undefined => {
    for (const upstream of core.upstreams.byName().values())
      if (upstream.status().kind === 'vault') return upstream;
    return undefined;
  };
  return {
    forward(request) {
      const upstream = find();
      if (upstream === undefined) {
        throw new LatchkeyError('mount_not_found', 'the config has no vault to ask', {
          remedy: 'name an upstream of kind vault',
        });
      }
      return upstream.forward(request);
    },
    vault: {
      upstream() {
        const upstream = find();
        return upstream && { name: upstream.name, namespace: upstream.status().namespace };
      },
      canonicalKey(reference) {
        return (
          core.upstreams.byName().get(reference.upstream)?.canonicalKey(reference) ?? referenceKey(reference)
        );
      },
      async refresh(keys, options) {
        const results = await core.engine.refresh(keys, options);
        return new Map(results.flatMap(({ key, error }) => (error === undefined ? [] : [[key, error]])));
      },
      leasesRevoked(leaseIds) {
        const upstream = find();
        if (upstream !== undefined) core.engine.leasesRevoked(upstream.name, leaseIds);
      },
      ownAccessor: () => find()?.status().login.accessor,
      ownTokens: () => find()?.ownTokens?.() ?? [],
      holdLease({ id, path, durationSeconds }) {
        const upstream = find()?.name ?? '';
        return core.engine.hold({ upstream, id, key: `${upstream}:write ${path}`, durationSeconds });
      },
    },
  };
}
