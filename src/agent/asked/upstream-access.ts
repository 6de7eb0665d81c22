// What the dialects of Vault and AWS need of upstreams and lease engine: the upstream that they stand for, and the one owner of
// leases.
import { LatchkeyError } from '../../base/errors.ts';
import type { AgentView } from '../../server/agent-view.ts';
import { referenceKey } from '../../store/reference.ts';
import type { SecretSource } from '../../upstream/secret-source.ts';
import type { Core } from '../wire.ts';

/** The dialect of Vault stands for the first upstream that has its API, that of AWS for the one that its listener names. */
export function createUpstreamAccess(
  core: Pick<Core, 'upstreams' | 'engine'>,
): Pick<AgentView, 'forward' | 'vault' | 'awsSecret'> {
  const find = (): Required<Pick<SecretSource, 'name' | 'vault'>> | undefined => {
    for (const { name, vault } of core.upstreams.byName().values())
      if (vault !== undefined) return { name, vault };
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
      return upstream.vault.forward(request);
    },
    vault: {
      upstream() {
        const upstream = find();
        return (
          upstream && { name: upstream.name, namespace: upstream.vault.namespace(), source: upstream.vault }
        );
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
      ownAccessor: () => find()?.vault.accessor(),
      ownTokens: () => find()?.vault.ownTokens() ?? [],
      hold: core.engine.hold,
    },
    async awsSecret(name, query, signal) {
      const aws = core.upstreams.byName().get(name)?.aws;
      if (aws === undefined) {
        throw new LatchkeyError('internal', `${name} is no upstream of kind aws`, {
          remedy: 'name one under aws.upstream of the listener',
        });
      }
      return await aws.secretValue(query, { signal, priority: 'interactive' });
    },
  };
}
