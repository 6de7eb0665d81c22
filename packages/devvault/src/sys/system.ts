// The system backend of a namespace: gathers the sys paths that go through the router.
import type { Backend, BackendContext } from '../backend.ts';
import type { Core } from '../core.ts';
import { capabilityRoutes } from './capabilities.ts';
import { leaseRoutes } from './leases.ts';
import { mountRoutes } from './mounts.ts';
import { namespaceRoutes } from './namespaces.ts';
import { policyRoutes } from './policies.ts';
import { quotaRoutes } from './quotas.ts';
import { previewRoutes } from './ui-mounts.ts';
import { wrappingRoutes } from './wrapping-routes.ts';

export function createSystem(core: Core, _context: BackendContext): Backend {
  return {
    unauthenticated: ['wrapping/lookup', 'internal/ui/mounts', 'internal/ui/mounts/*'],
    sudo: [
      'auth/*',
      'leases/lookup',
      'leases/lookup/*',
      'leases/revoke-prefix/*',
      'leases/revoke-force/*',
      'revoke-prefix/*',
      'revoke-force/*',
      'raw/*',
    ],
    routes: [
      ...mountRoutes(core),
      ...previewRoutes(core),
      ...policyRoutes(core),
      ...capabilityRoutes(core),
      ...leaseRoutes(core),
      ...wrappingRoutes(core),
      ...namespaceRoutes(core),
      ...quotaRoutes(core),
    ],
  };
}
