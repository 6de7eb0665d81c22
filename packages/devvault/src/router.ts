// A request's way: namespace → seal → token → policy → mount → handler → lease, login or wrapping → answer. Speaks in
// values; bytes and sockets are http-front.ts.
import { describeError } from '../../../src/base/errors.ts';
import type { Call, Handler, Operation, VaultRequest, VaultResponse } from './backend.ts';
import type { Core } from './core.ts';
import { type CompiledRoute, findMount, isWithin, type Mount, type Namespace } from './namespace.ts';
import { rootAcl } from './policy/acl-policy.ts';
import { pathMatches } from './policy/path-match.ts';
import { grantLogin } from './tokens/login.ts';
import type { TokenEntry } from './tokens/token-table.ts';
import { isWrappingToken, wrapAnswer } from './tokens/wrapping.ts';
import { badRequest, collected, notFound, permissionDenied, VaultError } from './vault-error.ts';

export interface Answer {
  status: number;
  body?: string | Buffer;
  contentType?: string;
  headers?: Record<string, string>;
}

interface Located {
  readonly mount: Mount;
  readonly rest: string;
  readonly isUnauthenticated: boolean;
  readonly needsSudo: boolean;
  readonly found: { route: CompiledRoute; params: Record<string, string> } | undefined;
}

const ownTokenPaths = new Set(['auth/token/lookup-self', 'auth/token/renew-self', 'auth/token/revoke-self']);
const wrappingPaths = new Set(['sys/wrapping/lookup', 'sys/wrapping/rewrap', 'sys/wrapping/unwrap']);

/** Never rejects: whatever goes wrong becomes an answer. */
export async function route(core: Core, request: VaultRequest): Promise<Answer> {
  try {
    return await serve(core, request);
  } catch (error) {
    if (error instanceof VaultError) return errorAnswer(error);
    core.logger.error(
      { path: request.path, error: describeError(error) },
      'request failed inside the development vault',
    );
    return errorAnswer(collected(500, 'internal error'));
  }
}

export function errorAnswer(error: VaultError): Answer {
  const body = { errors: error.errors, ...(error.warnings ? { warnings: error.warnings } : {}) };
  return { status: error.status, contentType: 'application/json', body: `${JSON.stringify(body)}\n` };
}

async function serve(core: Core, request: VaultRequest): Promise<Answer> {
  if (request.path.split('/').includes('..')) throw badRequest('relative paths not supported');
  if (core.seal.isSealed) throw new VaultError(503, ['Vault is sealed']);
  if (request.path.endsWith('/') && isWrite(request.operation))
    throw badRequest("cannot write to a path ending in '/'");
  const token = core.tokens.lookup(request.clientToken);
  if (token !== undefined) request.token = token;
  if (wrappingPaths.has(request.path)) requireWrappingToken(core, request);
  if (token !== undefined && ownTokenPaths.has(request.path)) request.namespace = token.namespace;

  const located = locate(request);
  const call = toCall(request, located);
  if (!located?.isUnauthenticated) authorize(core, call, located);
  const isLastUse = !located?.isUnauthenticated && token !== undefined && core.tokens.use(token);
  try {
    const response = await dispatch(call, located);
    if (isLastUse && response?.lease !== undefined) {
      await response.lease.revoke();
      throw badRequest(
        'Secret cannot be returned; token had one use left, so leased credentials were immediately revoked.',
      );
    }
    return await toAnswer(core, call, response);
  } finally {
    if (isLastUse && token !== undefined) await core.tokens.revoke(token.id);
  }
}

function requireWrappingToken(core: Core, request: VaultRequest): void {
  const given = request.data['token'];
  if (given !== undefined && typeof given !== 'string')
    throw collected(400, 'could not decode token in request body');
  if (!isWrappingToken(core, given || request.clientToken)) {
    throw badRequest('wrapping token is not valid or does not exist');
  }
  if (!given && request.token !== undefined) request.namespace = request.token.namespace;
}

function locate(request: VaultRequest): Located | undefined {
  const hit = findMount(request.namespace, request.path);
  if (hit === undefined) return undefined;
  const { mount, rest } = hit;
  const inner = request.operation === 'list' ? rest.replace(/\/$/, '') : rest;
  return {
    mount,
    rest,
    isUnauthenticated: (mount.backend.unauthenticated ?? []).some((pattern) => pathMatches(pattern, inner)),
    needsSudo: (mount.backend.sudo ?? []).some((pattern) => pathMatches(pattern, inner)),
    found:
      request.operation === 'list' ? findListRoute(mount.routes, rest, inner) : findRoute(mount.routes, rest),
  };
}

function findRoute(routes: readonly CompiledRoute[], rest: string): Located['found'] {
  for (const route of routes) {
    const match = route.matcher.exec(rest);
    if (match) return { route, params: { ...match.groups } };
  }
  return undefined;
}

// A folder is listed with its slash; routes of plain collections are written without it.
function findListRoute(routes: readonly CompiledRoute[], rest: string, inner: string): Located['found'] {
  for (const route of routes) {
    const match =
      route.matcher.exec(rest) ?? (route.route.list === undefined ? null : route.matcher.exec(inner));
    if (match) return { route, params: { ...match.groups } };
  }
  return undefined;
}

const nowhere: Mount = {
  kind: 'secret',
  path: '',
  type: '',
  accessor: '',
  uuid: '',
  description: '',
  options: null,
  routes: [],
  config: { default_lease_ttl: 0, max_lease_ttl: 0, force_no_cache: false },
  backend: { routes: [] },
};

function toCall(request: VaultRequest, located: Located | undefined): Call {
  return {
    ...request,
    mount: located?.mount ?? nowhere,
    rest: located?.rest ?? '',
    params: located?.found?.params ?? {},
  };
}

/** Refuses as Vault does, and settles whether a write creates or updates. */
function authorize(core: Core, call: Call, located: Located | undefined): void {
  if (call.clientToken === '') throw new VaultError(403, ['permission denied']);
  if (call.token === undefined) throw invalidToken(core);
  const exists = located?.found?.route.route.exists;
  if (call.operation === 'update' && exists !== undefined && !exists(call)) call.operation = 'create';
  if (!isWithin(call.namespace, call.token.namespace)) throw permissionDenied();
  const acl = core.aclOf(call.token);
  const relative = call.namespace.path.slice(call.token.namespace.path.length);
  const isAllowed = acl.allows({
    path: relative + call.path,
    capability: call.operation,
    needsSudo: located?.needsSudo ?? false,
    ...(isWrite(call.operation) ? { data: call.data } : {}),
  });
  if (!isAllowed) {
    if (core.tokens.use(call.token)) void core.tokens.revoke(call.token.id);
    throw permissionDenied();
  }
}

function invalidToken(core: Core): VaultError {
  if (core.flavor === 'openbao') return new VaultError(403, ['permission denied']);
  return collected(403, 'permission denied', 'invalid token');
}

async function dispatch(call: Call, located: Located | undefined): Promise<VaultResponse | undefined> {
  if (located === undefined) {
    throw new VaultError(404, [`no handler for route "${call.path}". route entry not found.`]);
  }
  if (located.found === undefined) throw collected(404, 'unsupported path');
  const handler = handlerOf(located.found.route, call.operation);
  if (handler === undefined) throw collected(405, 'unsupported operation');
  return await handler(call);
}

function handlerOf({ route }: CompiledRoute, operation: Operation): Handler | undefined {
  return operation === 'create' ? route.update : route[operation];
}

async function toAnswer(core: Core, call: Call, response: VaultResponse | undefined): Promise<Answer> {
  if (response === undefined) {
    if (call.operation === 'read' || call.operation === 'list') throw notFound();
    return { status: 204 };
  }
  if (call.operation === 'list' && hasNoKeys(response)) throw notFound();
  if (response.isEmpty) return { status: response.status ?? 204 };
  if (response.raw !== undefined) return { status: response.status ?? 200, ...response.raw };
  if (response.status === 204) return { status: 204 };
  const body = await toBody(core, call, response);
  const wrapTtl = wrapSeconds(call, response);
  const shown =
    wrapTtl > 0 && (response.status ?? 200) < 300 ? wrapAnswer(core, call, body, response, wrapTtl) : body;
  return {
    status: response.status ?? 200,
    contentType: 'application/json',
    body: `${JSON.stringify(shown)}\n`,
  };
}

function wrapSeconds(call: Call, response: VaultResponse): number {
  const asked = call.wrapTtlSeconds;
  const own = response.rewrap?.ttlSeconds ?? 0;
  return asked > 0 && own > 0 ? Math.min(asked, own) : asked || own;
}

function hasNoKeys(response: VaultResponse): boolean {
  const keys = (response.data as { keys?: unknown } | undefined)?.keys;
  return Array.isArray(keys) && keys.length === 0 && !response.warnings?.length;
}

async function toBody(core: Core, call: Call, response: VaultResponse): Promise<Record<string, unknown>> {
  const warnings = [...(response.warnings ?? [])];
  let leased = response.leased;
  if (response.lease !== undefined) {
    const registered = registerLease(core, call, response.lease);
    leased = registered.leased;
    warnings.push(...registered.warnings);
  }
  let auth = response.authBlock ?? null;
  if (response.auth !== undefined) {
    const login = grantLogin(core, call, response.auth);
    auth = login.block;
    warnings.push(...login.warnings);
  }
  return {
    request_id: call.id,
    lease_id: leased?.id ?? '',
    renewable: leased?.renewable ?? false,
    lease_duration: leased?.seconds ?? 0,
    data: response.data ?? null,
    wrap_info: null,
    warnings: warnings.length > 0 ? warnings : null,
    auth,
    ...(core.flavor === 'vault' ? { mount_type: call.mount.type } : {}),
    ...(response.isInjected ? response.data : {}),
  };
}

function registerLease(core: Core, call: Call, grant: NonNullable<VaultResponse['lease']>) {
  const token = call.token as TokenEntry;
  const lease = { namespace: call.namespace, path: call.path, token, mount: call.mount, grant };
  const { entry, ttlSeconds, warnings } = core.leases.register(lease);
  return { leased: { id: entry.id, renewable: grant.renewable, seconds: ttlSeconds }, warnings };
}

function isWrite(operation: Operation): boolean {
  return operation === 'create' || operation === 'update' || operation === 'patch';
}

/** The namespace that header and path name together, and the path that is left; undefined when there is none. */
export function resolveNamespace(
  core: Core,
  header: string,
  path: string,
): { namespace: Namespace; path: string } | undefined {
  const wanted = header.replace(/^\/+|\/+$/g, '');
  let namespace = core.namespaces.get(wanted === '' || wanted === 'root' ? '' : `${wanted}/`);
  if (namespace === undefined) return undefined;
  let rest = path;
  for (;;) {
    const segment = rest.slice(0, rest.indexOf('/') + 1);
    const child: Namespace | undefined =
      segment === '' ? undefined : core.namespaces.get(namespace.path + segment);
    if (child === undefined) return { namespace, path: rest };
    namespace = child;
    rest = rest.slice(segment.length);
  }
}

/** What `sys/capabilities*` answers for one path. */
export function capabilitiesOf(core: Core, token: TokenEntry, namespace: Namespace, path: string): string[] {
  if (!isWithin(namespace, token.namespace)) return ['deny'];
  const acl = core.aclOf(token);
  return acl === rootAcl
    ? ['root']
    : acl.capabilities(namespace.path.slice(token.namespace.path.length) + path.replace(/^\//, ''));
}
