// What a login lacks for what will be asked of it, by `sys/capabilities-self`: nothing is read, lent or made for that. What
// a secret holds, and whether it is there, is left to whoever may read it.
import { isJsonObject, type JsonObject } from '../../base/text/json.ts';
import type { Reference } from '../../store/reference.ts';
import type { RequestOptions } from '../../store/secret-reading.ts';
import type { Grant, RightsReport, Shortfall } from '../secret-source.ts';
import { answerJson, requestRefusal } from './answer-policy.ts';
import { apiPath, type Mount } from './secrets/kv-path-policy.ts';
import { revocationPathOf } from './secrets/revocation-policy.ts';
import type { Authorised } from './session/authorised.ts';

export interface VaultRightsOptions {
  readonly authorised: Authorised;
  /** Undefined: the server does not tell, because there is none or because the login may do nothing there. */
  readonly mountOf: (path: string, request: RequestOptions) => Promise<Mount | undefined>;
  /** Where the agent's own token lives, if elsewhere than the secrets. */
  readonly authNamespace: string | undefined;
}

/** Any one of the grants will do: which is the right one hangs on a mount that is not known. */
interface Need {
  readonly reference: Reference | undefined;
  readonly anyOf: readonly Grant[];
  readonly mount: Mount | undefined;
}

type Held = ReadonlyMap<string, readonly string[]>;

const capabilitiesPath = 'sys/capabilities-self';
const mostPaths = 100;
/** Engines whose answers to a read are no leases. */
const unleased = new Set(['kv', 'generic', 'cubbyhole', 'pki', 'transit', 'totp', 'identity', 'system']);

const ownNeeds: readonly Grant[] = [
  { path: 'auth/token/lookup-self', capabilities: ['read'] },
  { path: 'auth/token/renew-self', capabilities: ['update'] },
];
const leaseNeeds: readonly Grant[] = [
  { path: 'sys/leases/renew', capabilities: ['update'] },
  { path: 'sys/leases/revoke', capabilities: ['update'] },
];

export function createVaultRights(options: VaultRightsOptions) {
  const { authorised, mountOf } = options;

  /** Undefined: the login may not ask. */
  async function held(
    paths: readonly string[],
    namespace: string | undefined,
    request: RequestOptions,
  ): Promise<Held | undefined> {
    const found = new Map<string, readonly string[]>();
    for (let at = 0; at < paths.length; at += mostPaths) {
      const asked = paths.slice(at, at + mostPaths);
      const answer = await authorised({
        method: 'POST',
        path: capabilitiesPath,
        body: { paths: asked },
        isOptional: true,
        namespace,
        ...request,
      });
      if (answer.status === 403) return undefined;
      const what = 'the question what the login may do';
      if (answer.status >= 300) throw requestRefusal(answer, { what, path: capabilitiesPath });
      const json = answerJson(answer);
      const data = isJsonObject(json?.['data']) ? json['data'] : (json ?? {});
      for (const path of asked) found.set(path, capabilitiesIn(data, path));
    }
    return found;
  }

  return async (references: readonly Reference[], request: RequestOptions): Promise<RightsReport> => {
    const needs: Need[] = [];
    for (const reference of references) needs.push(needOf(reference, await mountOf(reference.path, request)));
    const afterLeak = needs.flatMap(leakOf);
    const forLeases = needs.some(mayLease) ? leaseNeeds : [];
    const all = [...needs, ...forLeases.map(housekeeping)];
    const paths = new Set([
      ...all.flatMap(({ anyOf }) => anyOf.map(({ path }) => path)),
      ...afterLeak.map(({ grant }) => grant.path),
    ]);
    const may = await held([...paths], undefined, request);
    const readable = needs.filter(({ mount }) => (mount?.kvVersion ?? 0) > 0);
    if (may === undefined) {
      return {
        isTold: false,
        shortfalls: [],
        readable: readable.flatMap(asked),
        untold: untold(needs),
        afterLeak: [],
      };
    }
    const ownPaths = ownNeeds.map(({ path }) => path);
    const own = (await held(ownPaths, options.authNamespace, request)) ?? may;
    const shortfalls = [
      ...all.flatMap((need) => shortfallOf(need, may)),
      ...ownNeeds.map(housekeeping).flatMap((need) => shortfallOf(need, own)),
    ];
    const short = new Set(shortfalls.map(({ reference }) => reference));
    return {
      isTold: true,
      shortfalls,
      readable: readable.filter(({ reference }) => !short.has(reference)).flatMap(asked),
      untold: [],
      afterLeak: afterLeak.filter(({ grant }) => lackOf(grant, may.get(grant.path) ?? []).length > 0),
    };
  };
}

function housekeeping(grant: Grant): Need {
  return { reference: undefined, anyOf: [grant], mount: undefined };
}

function needOf(reference: Reference, mount: Mount | undefined): Need {
  const { operation, path } = reference;
  const isStore = mount !== undefined && mount.kvVersion > 0;
  const writes = isStore ? ['create', 'update'] : ['update'];
  const capabilities = operation === 'write' ? writes : [operation];
  if (mount !== undefined)
    return { reference, mount, anyOf: [{ path: apiPath(path, mount, operation), capabilities }] };
  // Most are of a store of version 2, mounted at the first segment.
  const segments = path.split('/');
  const guesses = segments.slice(0, -1).map((_, index) => {
    const prefix = `${segments.slice(0, index + 1).join('/')}/`;
    return apiPath(path, { prefix, kvVersion: 2 }, operation);
  });
  const isFixed = /^(?:auth|sys|identity|cubbyhole)\//.test(path);
  const places = new Set(isFixed ? [path] : [path, ...guesses]);
  return { reference, mount, anyOf: [...places].map((place) => ({ path: place, capabilities })) };
}

function leakOf({ reference, mount }: Need): RightsReport['afterLeak'] {
  if (reference === undefined) return [];
  const path = revocationPathOf(reference, mount);
  return path === undefined ? [] : [{ reference, grant: { path, capabilities: ['update'] } }];
}

function mayLease({ reference, mount }: Need): boolean {
  return reference?.operation === 'read' && mount?.type !== undefined && !unleased.has(mount.type);
}

function shortfallOf({ reference, anyOf, mount }: Need, may: Held): Shortfall[] {
  const lacking = anyOf.map((grant) => ({
    ...grant,
    capabilities: lackOf(grant, may.get(grant.path) ?? []),
  }));
  const isEnough = lacking.some(({ capabilities }) => capabilities.length === 0);
  if (!isEnough) return [{ reference, problem: 'denied', anyOf: lacking.slice(0, 2) }];
  // Of a mount where it may do something the server would have told.
  const isFixed = reference === undefined || anyOf.length === 1;
  return mount !== undefined || isFixed ? [] : [{ reference, problem: 'no_mount', anyOf: [] }];
}

function lackOf({ capabilities }: Grant, held: readonly string[]): readonly string[] {
  return held.includes('root') ? [] : capabilities.filter((one) => !held.includes(one));
}

function capabilitiesIn(data: JsonObject, path: string): readonly string[] {
  const told = data[path];
  return Array.isArray(told) ? told.filter((one) => typeof one === 'string') : [];
}

function asked({ reference, anyOf }: Need) {
  return reference === undefined || reference.operation === 'write' ? [] : [{ reference, grants: anyOf }];
}

function untold(needs: readonly Need[]): Reference[] {
  return needs.flatMap((need) =>
    need.reference === undefined || ((need.mount?.kvVersion ?? 0) > 0 && need.reference.operation !== 'write')
      ? []
      : [need.reference],
  );
}
