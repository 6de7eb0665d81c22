// sys/leases: look up, renew, revoke by id or by prefix; the older sys/renew and sys/revoke mean the same.
import { describeError } from '../../../../src/base/errors.ts';
import type { Call, Route, VaultResponse } from '../backend.ts';
import type { Core } from '../core.ts';
import { listKeys } from '../engines/list-keys.ts';
import { boolField, secondsField, textField } from '../fields.ts';
import type { LeaseEntry } from '../tokens/lease-table.ts';
import { badRequest } from '../vault-error.ts';

export function leaseRoutes(core: Core): Route[] {
  const renew = (call: Call): Promise<VaultResponse> => renewLease(core, call);
  const revoke = (call: Call): Promise<VaultResponse | undefined> => revokeLease(core, call);
  const revokePrefix = async (call: Call): Promise<undefined> => {
    await revokeBelow(core, call, call.params['prefix'] ?? '', false);
  };
  const revokeForce = async (call: Call): Promise<undefined> => {
    await revokeBelow(core, call, call.params['prefix'] ?? '', true);
  };
  const roots = ['leases/', ''];
  return [
    {
      pattern: 'leases/lookup',
      update: (call) => ({ data: describe(core, lookup(core, call)) }),
      list: (call) => listLeases(core, call),
    },
    { pattern: 'leases/lookup/*prefix', list: (call) => listLeases(core, call) },
    ...roots.flatMap((root): Route[] => [
      { pattern: `${root}renew`, update: renew },
      { pattern: `${root}renew/*id`, update: renew },
      { pattern: `${root}revoke`, update: revoke },
      { pattern: `${root}revoke/*id`, update: revoke },
      { pattern: `${root}revoke-prefix/*prefix`, update: revokePrefix },
      { pattern: `${root}revoke-force/*prefix`, update: revokeForce },
    ]),
  ];
}

async function renewLease(core: Core, call: Call): Promise<VaultResponse> {
  const { entry, ttlSeconds, warnings } = await core.leases.renew(
    leaseId(call),
    secondsField(call.data, 'increment'),
  );
  return {
    data: null,
    leased: { id: entry.id, renewable: entry.grant.renewable, seconds: ttlSeconds },
    warnings,
  };
}

async function revokeLease(core: Core, call: Call): Promise<VaultResponse | undefined> {
  const ending = core.leases.revoke(leaseId(call));
  if (boolField(call.data, 'sync', true)) {
    await ending.catch((error) => {
      throw badRequest(`failed to revoke entry: resp: (*logical.Response)(nil) err: ${describeError(error)}`);
    });
    return undefined;
  }
  // The table logs a failure and tries again: the caller is told 202 at once.
  ending.catch(() => {});
  return { status: 202, isEmpty: true };
}

async function revokeBelow(core: Core, call: Call, prefix: string, isForced: boolean): Promise<void> {
  const wanted = prefix.endsWith('/') ? prefix : `${prefix}/`;
  await core.leases.revokePrefix(call.namespace, wanted, isForced);
  await core.tokens.revokePath(call.namespace, prefix);
}

function lookup(core: Core, call: Call): LeaseEntry {
  const entry = core.leases.lookup(leaseId(call));
  if (entry === undefined) throw badRequest('invalid lease');
  return entry;
}

function leaseId(call: Call): string {
  const id = textField(call.data, 'lease_id') || (call.params['id'] ?? '');
  if (id === '') throw badRequest('lease_id must be specified');
  return id;
}

function listLeases(core: Core, call: Call): VaultResponse {
  return { data: { keys: listKeys(core.leases.ids(call.namespace), call.params['prefix'] ?? '') } };
}

function describe(core: Core, entry: LeaseEntry): object {
  const time = (ms: number): string => new Date(ms).toISOString();
  return {
    id: entry.id,
    path: entry.path,
    issue_time: time(entry.issuedAtMs),
    expire_time: time(entry.expiresAtMs),
    last_renewal: entry.lastRenewalMs === undefined ? null : time(entry.lastRenewalMs),
    renewable: entry.grant.renewable,
    ttl: core.leases.remaining(entry),
    ...(entry.namespace.path === '' ? {} : { namespace_path: entry.namespace.path }),
  };
}
