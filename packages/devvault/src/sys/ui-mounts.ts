// sys/internal/ui/mounts: which mount a path belongs to, told only to a token that may use something there.

import type { Call, Route, VaultResponse } from '../backend.ts';
import type { Core } from '../core.ts';
import { findMount, isWithin, type Mount, mountPath, type Namespace } from '../namespace.ts';
import type { Acl } from '../policy/acl-policy.ts';
import { VaultError } from '../vault-error.ts';
import { describeMount } from './mounts.ts';

export function previewRoutes(core: Core): Route[] {
  return [
    { pattern: 'internal/ui/mounts', read: (call) => listMounts(core, call) },
    { pattern: 'internal/ui/mounts/*path', read: (call) => describeOne(core, call) },
  ];
}

function describeOne(core: Core, call: Call): VaultResponse {
  const path = `${(call.params['path'] ?? '').replace(/^\/+|\/+$/g, '')}/`;
  const acl = aclFor(core, call);
  if (acl === undefined) throw new VaultError(403, ['permission denied']);
  const { namespace, rest } = innermost(core, call.namespace, path);
  const hit = findMount(namespace, rest);
  if (hit === undefined || !mayUse(acl, { ...call, namespace }, hit.mount)) {
    const message = `preflight capability check returned 403, please ensure client's policies grant access to path "${path}"`;
    throw new VaultError(403, [message]);
  }
  // Of a child namespace OpenBao tells the path from the root on.
  const start = namespace === call.namespace ? '' : namespace.path;
  return { data: { ...describeMount(hit.mount), path: start + hit.mount.path } };
}

/** The path may begin with child namespaces. */
function innermost(core: Core, start: Namespace, path: string): { namespace: Namespace; rest: string } {
  let [namespace, rest] = [start, path];
  for (;;) {
    const child = core.namespaces.get(`${namespace.path}${rest.split('/', 1)[0] ?? ''}/`);
    if (child === undefined || child === namespace) return { namespace, rest };
    rest = rest.slice(child.path.length - namespace.path.length);
    namespace = child;
  }
}

function listMounts(core: Core, call: Call): VaultResponse {
  const acl = aclFor(core, call);
  const visible = (mounts: Iterable<Mount>): object => {
    const shown = [...mounts].filter(
      (mount) => mount.config.listing_visibility === 'unauth' || (acl && mayUse(acl, call, mount)),
    );
    return Object.fromEntries(shown.map((mount) => [mount.path, describeMount(mount)]));
  };
  return {
    data: { auth: visible(call.namespace.auths.values()), secret: visible(call.namespace.mounts.values()) },
  };
}

function aclFor(core: Core, call: Call): Acl | undefined {
  if (call.token === undefined || !isWithin(call.namespace, call.token.namespace)) return undefined;
  return core.aclOf(call.token);
}

function mayUse(acl: Acl, call: Call, mount: Mount): boolean {
  const prefix = call.namespace.path.slice(call.token?.namespace.path.length ?? 0);
  return acl.reachesInto(prefix + mountPath(mount));
}
