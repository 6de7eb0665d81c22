// Namespaces and what is mounted in each: secrets engines, auth methods, policies. Isolated from one another; a
// token of a parent namespace may act in its children.
import type { Backend, Route } from './backend.ts';
import { newMountAccessor, newUuid, randomBase62 } from './identifiers.ts';

export interface MountConfig {
  /** 0 takes the system's default. */
  default_lease_ttl: number;
  max_lease_ttl: number;
  force_no_cache: boolean;
  listing_visibility?: string;
  token_type?: string;
}

export interface Mount {
  readonly kind: 'secret' | 'auth';
  /** With a trailing slash; of an auth method without the leading `auth/`. */
  readonly path: string;
  readonly type: string;
  readonly accessor: string;
  readonly uuid: string;
  description: string;
  options: Record<string, string> | null;
  readonly config: MountConfig;
  backend: Backend;
  /** The backend's routes with their patterns ready to match. */
  routes: CompiledRoute[];
}

export interface CompiledRoute {
  readonly route: Route;
  readonly matcher: RegExp;
}

export interface Namespace {
  readonly id: string;
  readonly uuid: string;
  /** `` for the root, else with a trailing slash: `team-a/`. */
  readonly path: string;
  readonly mounts: Map<string, Mount>;
  readonly auths: Map<string, Mount>;
  /** Policy name to its text. */
  readonly policies: Map<string, string>;
  customMetadata: Record<string, string>;
}

export interface NamespaceTable {
  readonly root: Namespace;
  get(path: string): Namespace | undefined;
  create(path: string, customMetadata: Record<string, string>): Namespace;
  delete(path: string): void;
  /** Direct children's paths, relative to the parent. */
  children(parent: Namespace): Namespace[];
  all(): Namespace[];
}

/** 32 days, as an unconfigured Vault. */
const systemTtlSeconds = 2_764_800;

export function createNamespaceTable(): NamespaceTable {
  const namespaces = new Map<string, Namespace>();
  const add = (id: string, path: string, customMetadata: Record<string, string>): Namespace => {
    const namespace: Namespace = {
      id,
      path,
      uuid: newUuid(),
      customMetadata,
      mounts: new Map(),
      auths: new Map(),
      policies: new Map(),
    };
    namespaces.set(path, namespace);
    return namespace;
  };
  const root = add('root', '', {});
  return {
    root,
    get: (path) => namespaces.get(path),
    create: (path, customMetadata) => add(randomBase62(6), path, customMetadata),
    delete: (path) => void namespaces.delete(path),
    children: (parent) =>
      [...namespaces.values()].filter((item) => {
        const below = item.path.slice(parent.path.length);
        return item.path.startsWith(parent.path) && /^[^/]+\/$/.test(below);
      }),
    all: () => [...namespaces.values()],
  };
}

/** True when `child` is `parent` or lies below it. */
export function isWithin(child: Namespace, parent: Namespace): boolean {
  return child.path.startsWith(parent.path);
}

export function mountTtl(mount: Mount): { defaultSeconds: number; maxSeconds: number } {
  return {
    defaultSeconds: mount.config.default_lease_ttl || systemTtlSeconds,
    maxSeconds: mount.config.max_lease_ttl || systemTtlSeconds,
  };
}

/** A mount without its backend, which is made for it next. */
export function newMount(
  kind: 'secret' | 'auth',
  path: string,
  type: string,
  details: {
    description?: string;
    options?: Record<string, string> | null;
    config?: Partial<MountConfig>;
  } = {},
): Mount {
  const config: MountConfig = {
    default_lease_ttl: 0,
    max_lease_ttl: 0,
    force_no_cache: false,
    ...details.config,
  };
  if (kind === 'auth') config.token_type ??= 'default-service';
  return {
    kind,
    path,
    type,
    config,
    accessor: newMountAccessor(kind, type),
    uuid: newUuid(),
    description: details.description ?? '',
    options: details.options ?? null,
    backend: { routes: [] },
    routes: [],
  };
}

/** The mount whose path is the longest prefix of `path`, and what lies below it. */
export function findMount(namespace: Namespace, path: string): { mount: Mount; rest: string } | undefined {
  const isAuth = path.startsWith('auth/');
  const mounts = isAuth ? namespace.auths : namespace.mounts;
  const inner = isAuth ? path.slice('auth/'.length) : path;
  let best: Mount | undefined;
  for (const mount of mounts.values()) {
    if (`${inner}/`.startsWith(mount.path) && mount.path.length > (best?.path.length ?? 0)) best = mount;
  }
  return best && { mount: best, rest: inner.slice(best.path.length) };
}

/** Turns `role/:name` and `data/*path` into matchers, tried in the order of the routes. */
export function compileRoutes(routes: readonly Route[]): CompiledRoute[] {
  return routes.map((route) => {
    const source = route.pattern
      .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
      .replace(/\*(\w+)$/, '(?<$1>.*)')
      .replace(/:(\w+)/g, '(?<$1>[^/]+)');
    return { route, matcher: new RegExp(`^${source}$`, 's') };
  });
}

/** Full path of the mount as policies write it. */
export function mountPath(mount: Mount): string {
  return mount.kind === 'auth' ? `auth/${mount.path}` : mount.path;
}
