// sys/mounts and sys/auth: mount, tune, unmount, and how a mount is shown.
import type { JsonObject } from '../../../../src/base/text/json.ts';
import type { Call, Route, VaultResponse } from '../backend.ts';
import type { Core } from '../core.ts';
import { hasField, mapField, secondsField, textField, textMapField } from '../fields.ts';
import { type Mount, type MountConfig, mountTtl } from '../namespace.ts';
import { badRequest } from '../vault-error.ts';

export function mountRoutes(core: Core): Route[] {
  return [...tableRoutes(core, 'secret', 'mounts'), ...tableRoutes(core, 'auth', 'auth')];
}

function tableRoutes(core: Core, kind: Mount['kind'], table: string): Route[] {
  const all = (call: Call): Map<string, Mount> =>
    kind === 'auth' ? call.namespace.auths : call.namespace.mounts;
  const find = (call: Call): Mount => {
    const mount = all(call).get(slashed(call.params['path'] ?? ''));
    if (mount !== undefined) return mount;
    throw badRequest(
      kind === 'auth'
        ? `no matching mount at path: ${slashed(call.params['path'] ?? '')}`
        : `No secret engine mount at ${slashed(call.params['path'] ?? '')}`,
    );
  };
  return [
    { pattern: table, read: (call) => ({ isInjected: true, data: describeAll(all(call)) }) },
    {
      pattern: `${table}/*path`,
      read: (call) =>
        call.rest.endsWith('/tune')
          ? tuned(find(tuneCall(call)))
          : { isInjected: true, data: describeMount(find(call)) },
      update: (call) =>
        call.rest.endsWith('/tune')
          ? tune(find(tuneCall(call)), call.data)
          : addMount(core, kind, call, all(call)),
      delete: async (call) => {
        const path = slashed(call.params['path'] ?? '');
        if (['sys/', 'cubbyhole/', 'identity/'].includes(path)) throw badRequest(`cannot unmount "${path}"`);
        const mount = all(call).get(path);
        if (mount !== undefined) await core.unmount(call.namespace, mount);
        return undefined;
      },
    },
  ];
}

function tuneCall(call: Call): Call {
  return { ...call, params: { path: (call.params['path'] ?? '').replace(/\/tune$/, '') } };
}

function addMount(core: Core, kind: Mount['kind'], call: Call, mounts: Map<string, Mount>): undefined {
  const path = slashed(call.params['path'] ?? '');
  const type = textField(call.data, 'type');
  if (type === '') throw badRequest('backend type must be specified as a string');
  if (kind === 'secret' && /^(sys|auth|cubbyhole|identity)\//.test(path))
    throw badRequest(`cannot mount "${path}"`);
  const clash = [...mounts.keys()].find((item) => item.startsWith(path) || path.startsWith(item));
  if (clash !== undefined) throw badRequest(`path is already in use at ${clash}`);
  const isKvV2 = type === 'kv-v2';
  const options = textMapField(call.data, 'options') ?? {};
  core.mount(call.namespace, kind, path, isKvV2 || type === 'kv-v1' ? 'kv' : type, {
    description: textField(call.data, 'description'),
    options: isKvV2 ? { ...options, version: '2' } : options,
    config: readConfig(mapField(call.data, 'config') ?? {}),
  });
  return undefined;
}

function readConfig(data: JsonObject): Partial<MountConfig> {
  const config: Partial<MountConfig> = {
    default_lease_ttl: secondsField(data, 'default_lease_ttl'),
    max_lease_ttl: secondsField(data, 'max_lease_ttl'),
    ...(hasField(data, 'listing_visibility')
      ? { listing_visibility: textField(data, 'listing_visibility') }
      : {}),
    ...(hasField(data, 'token_type') ? { token_type: textField(data, 'token_type') } : {}),
  };
  if ((config.max_lease_ttl ?? 0) > 0 && (config.default_lease_ttl ?? 0) > (config.max_lease_ttl ?? 0)) {
    throw badRequest(`given default lease TTL greater than given max lease TTL`);
  }
  return config;
}

function tune(mount: Mount, data: JsonObject): undefined {
  if (hasField(data, 'default_lease_ttl'))
    mount.config.default_lease_ttl = secondsField(data, 'default_lease_ttl');
  if (hasField(data, 'max_lease_ttl')) mount.config.max_lease_ttl = secondsField(data, 'max_lease_ttl');
  if (hasField(data, 'description')) mount.description = textField(data, 'description');
  if (hasField(data, 'listing_visibility'))
    mount.config.listing_visibility = textField(data, 'listing_visibility');
  const options = textMapField(data, 'options');
  if (options !== undefined) mount.options = { ...mount.options, ...options };
}

function tuned(mount: Mount): VaultResponse {
  const ttl = mountTtl(mount);
  const data = {
    description: mount.description,
    ...mount.config,
    default_lease_ttl: ttl.defaultSeconds,
    max_lease_ttl: ttl.maxSeconds,
    ...(mount.options === null ? {} : { options: mount.options }),
  };
  return { isInjected: true, data };
}

function describeAll(mounts: ReadonlyMap<string, Mount>): object {
  return Object.fromEntries(
    [...mounts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, mount]) => [path, describeMount(mount)]),
  );
}

/** A mount as sys/mounts and sys/internal/ui/mounts show it. */
export function describeMount(mount: Mount): object {
  return {
    accessor: mount.accessor,
    config: mount.config,
    description: mount.description,
    external_entropy_access: false,
    local: mount.type === 'cubbyhole',
    options: mount.options,
    plugin_version: '',
    running_plugin_version: '',
    running_sha256: '',
    seal_wrap: false,
    type: mount.type,
    uuid: mount.uuid,
  };
}

function slashed(path: string): string {
  return `${path.replace(/^\/+|\/+$/g, '')}/`;
}
