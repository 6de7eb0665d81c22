// The server's state in one place: namespaces, tokens, leases, seal, and the mounting of engines and auth methods.

import type { Logger } from '../../../src/base/logger.ts';
import type { Clock } from '../../../src/base/time/clock.ts';
import type { BackendFactory } from './backend.ts';
import { createEventHub, type EventHub } from './events/event-hub.ts';
import { newUuid, randomBase62 } from './identifiers.ts';
import {
  compileRoutes,
  createNamespaceTable,
  type Mount,
  type MountConfig,
  type Namespace,
  type NamespaceTable,
  newMount,
} from './namespace.ts';
import { type Acl, createAcl, rootAcl } from './policy/acl-policy.ts';
import { defaultPolicy, wrappingPolicy } from './policy/default-policies.ts';
import { type PathRule, parsePolicy } from './policy/policy-language.ts';
import { createSealState, type SealState } from './seal-state.ts';
import { createQuotas, type Quotas } from './sys/quotas.ts';
import { createLeaseTable, type LeaseTable } from './tokens/lease-table.ts';
import { createTokenTable, type TokenEntry, type TokenTable } from './tokens/token-table.ts';
import { VaultError } from './vault-error.ts';

/** Whose wording is used where HashiCorp Vault and OpenBao differ. */
export type Flavor = 'vault' | 'openbao';

export interface Core {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly flavor: Flavor;
  readonly version: string;
  readonly namespaces: NamespaceTable;
  readonly tokens: TokenTable;
  readonly leases: LeaseTable;
  readonly events: EventHub;
  readonly seal: SealState;
  readonly quotas: Quotas;
  readonly clusterName: string;
  readonly clusterId: string;
  /** One id for one person at one auth mount. */
  entityId(mount: Mount, alias: string): string;
  aclOf(token: TokenEntry): Acl;
  mount(namespace: Namespace, kind: Mount['kind'], path: string, type: string, details?: MountDetails): Mount;
  unmount(namespace: Namespace, mount: Mount): Promise<void>;
  addNamespace(path: string, customMetadata: Record<string, string>): Namespace;
  close(): Promise<void>;
}

interface MountDetails {
  description?: string;
  options?: Record<string, string> | null;
  config?: Partial<MountConfig>;
}

export interface CoreOptions {
  clock: Clock;
  logger: Logger;
  flavor: Flavor;
  version: string;
  /** Names `secret:kv`, `auth:approle`, … to what makes them; gets the core for the system backend. */
  factories(core: Core): ReadonlyMap<string, BackendFactory>;
}

export function createCore(options: CoreOptions): Core {
  const { clock, logger } = options;
  const leases = createLeaseTable(clock, logger);
  const tokens = createTokenTable({ clock, onRevoked: (token) => leases.revokeOfToken(token) });
  const namespaces = createNamespaceTable();
  const events = createEventHub(clock);
  const entities = new Map<string, string>();
  const parsed = new Map<string, PathRule[]>();

  const core: Core = {
    clock,
    logger,
    leases,
    tokens,
    namespaces,
    events,
    flavor: options.flavor,
    version: options.version,
    seal: createSealState(),
    quotas: createQuotas(clock),
    clusterName: `vault-cluster-${randomBase62(8).toLowerCase()}`,
    clusterId: newUuid(),
    entityId: (mount, alias) => remember(entities, `${mount.accessor}/${alias}`),
    aclOf: (token) => aclOfToken(token, parsed),
    mount(namespace, kind, path, type, details = {}) {
      const factory = factories.get(`${kind}:${type}`);
      if (factory === undefined) {
        throw new VaultError(400, [`plugin not found in the catalog: ${type}`]);
      }
      const mount = newMount(kind, path, type, details);
      const publish = (event: string, metadata: Record<string, string>): void =>
        events.publish({ type: event, namespace, mount, metadata });
      mount.backend = factory({
        clock,
        logger,
        tokens,
        leases,
        namespaces,
        mount,
        namespace,
        version: options.version,
        publish,
      });
      mount.routes = compileRoutes(mount.backend.routes);
      (kind === 'auth' ? namespace.auths : namespace.mounts).set(path, mount);
      return mount;
    },
    async unmount(namespace, mount) {
      const path = mount.kind === 'auth' ? `auth/${mount.path}` : mount.path;
      await tokens.revokePath(namespace, path);
      await leases.revokePrefix(namespace, path, true);
      (mount.kind === 'auth' ? namespace.auths : namespace.mounts).delete(mount.path);
      await mount.backend.close?.();
    },
    addNamespace(path, customMetadata) {
      const namespace = namespaces.create(path, customMetadata);
      furnish(core, namespace);
      return namespace;
    },
    async close() {
      tokens.close();
      leases.close();
      events.close();
      const mounts = namespaces.all().flatMap((item) => [...item.mounts.values(), ...item.auths.values()]);
      await Promise.all(mounts.map((mount) => mount.backend.close?.()));
    },
  };
  const factories = options.factories(core);
  furnish(core, namespaces.root);
  return core;
}

// What every namespace has from the start.
function furnish(core: Core, namespace: Namespace): void {
  namespace.policies.set('default', defaultPolicy);
  namespace.policies.set('response-wrapping', wrappingPolicy);
  core.mount(namespace, 'secret', 'sys/', 'system', {
    description: 'system endpoints used for control, policy and debugging',
  });
  core.mount(namespace, 'secret', 'cubbyhole/', 'cubbyhole', {
    description: 'per-token private secret storage',
  });
  core.mount(namespace, 'auth', 'token/', 'token', { description: 'token based credentials' });
}

// A policy's text is parsed once, whichever tokens have it.
function aclOfToken(token: TokenEntry, parsed: Map<string, PathRule[]>): Acl {
  if (token.policies.includes('root')) return rootAcl;
  const rules: PathRule[] = [];
  for (const name of token.policies) {
    const text = token.namespace.policies.get(name);
    if (text === undefined) continue;
    const found = parsed.get(text) ?? parsePolicy(text);
    parsed.set(text, found);
    rules.push(...found);
  }
  return createAcl(rules);
}

function remember(map: Map<string, string>, key: string): string {
  const id = map.get(key) ?? newUuid();
  map.set(key, id);
  return id;
}
