// Secret ids of an AppRole: made (by the server or by the caller), looked up, listed by accessor, destroyed.
import type { BackendContext, Call, Route, VaultResponse } from '../backend.ts';
import { hasField, intField, secondsField, textField, textMapField } from '../fields.ts';
import { newUuid } from '../identifiers.ts';
import type { RoleCollection } from '../role-collection.ts';
import { badRequest, VaultError } from '../vault-error.ts';
import type { AppRole } from './approle.ts';

export interface SecretId {
  readonly id: string;
  readonly accessor: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly ttlSeconds: number;
  readonly createdMs: number;
  updatedMs: number;
  readonly expiresAtMs: number | undefined;
  /** 0 is without limit. */
  numUses: number;
}

export function isSpent(secretId: SecretId, nowMs: number): boolean {
  return secretId.expiresAtMs !== undefined && secretId.expiresAtMs <= nowMs;
}

export function secretIdRoutes(context: BackendContext, roles: RoleCollection<AppRole>): Route[] {
  const required = (call: Call): AppRole => {
    const name = call.params['role'] ?? '';
    const role = roles.find(name);
    if (role === undefined) throw new VaultError(404, [`role "${name.toLowerCase()}" does not exist`]);
    return role;
  };
  const live = (role: AppRole, find: (item: SecretId) => boolean): SecretId | undefined => {
    const found = [...role.secretIds.values()].find(find);
    if (found === undefined || !isSpent(found, context.clock.wall())) return found;
    role.secretIds.delete(found.id);
    return undefined;
  };
  const byAccessor = (call: Call, role: AppRole): SecretId | string => {
    const accessor = textField(call.data, 'secret_id_accessor');
    if (accessor === '') throw badRequest('missing secret_id_accessor');
    const found = live(role, (item) => item.accessor === accessor);
    if (found !== undefined) return found;
    return `failed to find accessor entry for secret_id_accessor: "${accessor}"`;
  };
  const byId = (call: Call, role: AppRole): SecretId | undefined => {
    const id = textField(call.data, 'secret_id');
    if (id === '') throw badRequest('missing secret_id');
    return live(role, (item) => item.id === id);
  };
  const destroy = (call: Call): undefined => {
    const role = required(call);
    role.secretIds.delete(byId(call, role)?.id ?? '');
  };
  // An unknown accessor is answered with data and a 404, unlike every other error.
  const withAccessor = (call: Call, work: (role: AppRole, found: SecretId) => VaultResponse | undefined) => {
    const role = required(call);
    const found = byAccessor(call, role);
    return typeof found === 'string' ? { status: 404, data: { error: found } } : work(role, found);
  };
  const destroyByAccessor = (call: Call): VaultResponse | undefined =>
    withAccessor(call, (role, found) => {
      role.secretIds.delete(found.id);
      return undefined;
    });
  return [
    {
      pattern: 'role/:role/secret-id',
      update: (call) => create(context, required(call), call, newUuid()),
      list: (call) => ({
        data: { keys: [...required(call).secretIds.values()].map((item) => item.accessor) },
      }),
    },
    {
      pattern: 'role/:role/custom-secret-id',
      update: (call) => {
        const id = textField(call.data, 'secret_id');
        if (id === '') throw badRequest('missing secret_id');
        return create(context, required(call), call, id);
      },
    },
    {
      pattern: 'role/:role/secret-id/lookup',
      update: (call) => {
        const found = byId(call, required(call));
        return found && { data: describe(found) };
      },
    },
    { pattern: 'role/:role/secret-id/destroy', update: destroy, delete: destroy },
    {
      pattern: 'role/:role/secret-id-accessor/lookup',
      update: (call) => withAccessor(call, (_role, found) => ({ data: describe(found) })),
    },
    {
      pattern: 'role/:role/secret-id-accessor/destroy',
      update: destroyByAccessor,
      delete: destroyByAccessor,
    },
  ];
}

function create(context: BackendContext, role: AppRole, call: Call, id: string): VaultResponse {
  if (!role.bindSecretId) throw badRequest('bind_secret_id is not set on the role');
  const now = context.clock.wall();
  const ttlSeconds = secondsField(call.data, 'ttl', role.secretIdTtlSeconds);
  const numUses = intField(call.data, 'num_uses', role.secretIdNumUses);
  if (numUses < 0) throw badRequest('num_uses cannot be negative');
  if (role.secretIdNumUses > 0 && (numUses === 0 || numUses > role.secretIdNumUses)) {
    throw badRequest("num_uses cannot be higher than the role's secret_id_num_uses");
  }
  if (role.secretIdTtlSeconds > 0 && (ttlSeconds === 0 || ttlSeconds > role.secretIdTtlSeconds)) {
    throw badRequest("ttl cannot be longer than the role's secret_id_ttl");
  }
  const secretId: SecretId = {
    id,
    accessor: newUuid(),
    metadata: readMetadata(call),
    ttlSeconds,
    createdMs: now,
    updatedMs: now,
    expiresAtMs: ttlSeconds > 0 ? now + ttlSeconds * 1000 : undefined,
    numUses,
  };
  role.secretIds.set(id, secretId);
  return {
    data: {
      secret_id: id,
      secret_id_accessor: secretId.accessor,
      secret_id_ttl: ttlSeconds,
      secret_id_num_uses: numUses,
    },
  };
}

// Metadata comes as a JSON object in text.
function readMetadata(call: Call): Record<string, string> {
  if (!hasField(call.data, 'metadata')) return {};
  const raw = call.data['metadata'];
  if (typeof raw !== 'string') return textMapField(call.data, 'metadata') ?? {};
  try {
    const parsed: unknown = JSON.parse(raw);
    if (parsed !== null && typeof parsed === 'object') {
      return Object.fromEntries(Object.entries(parsed).map(([key, value]) => [key, String(value)]));
    }
  } catch {
    // Refused below, without the text.
  }
  throw badRequest('failed to parse metadata: expected a JSON object');
}

function describe(item: SecretId): object {
  return {
    cidr_list: [],
    creation_time: new Date(item.createdMs).toISOString(),
    expiration_time:
      item.expiresAtMs === undefined ? '0001-01-01T00:00:00Z' : new Date(item.expiresAtMs).toISOString(),
    last_updated_time: new Date(item.updatedMs).toISOString(),
    metadata: item.metadata,
    secret_id_accessor: item.accessor,
    secret_id_num_uses: item.numUses,
    secret_id_ttl: item.ttlSeconds,
    token_bound_cidrs: [],
  };
}
