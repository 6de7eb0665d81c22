// Paths that only this server has, below sys/dev and for the root token alone: faults, request counts, the node's role.
import { JsonNumber, type JsonObject } from '../../../../src/base/text/json.ts';
import type { Core } from '../core.ts';
import { boolField, hasField, intField, listField, textField } from '../fields.ts';
import type { Fault, FaultBox, FaultKind } from '../http/faults.ts';
import type { Answer } from '../router.ts';
import type { NodeRole } from '../seal-state.ts';
import { badRequest, VaultError } from '../vault-error.ts';

const kinds: readonly FaultKind[] = [
  'latency',
  'status',
  'drop',
  'half-open',
  'truncated',
  'malformed',
  'oversized',
];
const roles: readonly NodeRole[] = ['active', 'standby', 'performance-standby', 'dr-secondary'];

export function serveDevelopment(
  core: Core,
  faults: FaultBox,
  method: string,
  path: string,
  data: JsonObject,
): Answer {
  if (path === 'sys/dev/faults') {
    if (method === 'GET') return json({ faults: faults.list() });
    if (method === 'DELETE') faults.clear();
    else if (method === 'PUT') faults.add(readFault(data));
    return { status: 204 };
  }
  if (path === 'sys/dev/requests') {
    if (method === 'GET') return json(faults.counts());
    if (method === 'DELETE') faults.resetCounts();
    return { status: 204 };
  }
  if (path === 'sys/dev/role' && method === 'PUT') {
    const role = roles.find((item) => item === textField(data, 'role'));
    if (role === undefined) throw badRequest(`role: expected one of ${roles.join(', ')}`);
    core.seal.role = role;
    core.seal.activeAddress = hasField(data, 'active_address')
      ? textField(data, 'active_address')
      : undefined;
    return { status: 204 };
  }
  throw new VaultError(404, ['sys/dev has faults, requests and role']);
}

function readFault(data: JsonObject): Fault {
  const kind = kinds.find((item) => item === textField(data, 'kind'));
  if (kind === undefined) throw badRequest(`kind: expected one of ${kinds.join(', ')}`);
  return {
    kind,
    ...(hasField(data, 'path') ? { path: textField(data, 'path') } : {}),
    ...(hasField(data, 'method') ? { method: textField(data, 'method') } : {}),
    ...(data['count'] instanceof JsonNumber ? { count: intField(data, 'count') } : {}),
    ...(hasField(data, 'latency_ms') ? { latencyMs: intField(data, 'latency_ms') } : {}),
    ...(hasField(data, 'status') ? { status: intField(data, 'status') } : {}),
    ...(hasField(data, 'retry_after') ? { retryAfterSeconds: intField(data, 'retry_after') } : {}),
    ...(hasField(data, 'errors') ? { errors: listField(data, 'errors') } : {}),
    ...(hasField(data, 'bytes') ? { bytes: intField(data, 'bytes') } : {}),
    ...(hasField(data, 'after_serving') ? { isAfterServing: boolField(data, 'after_serving') } : {}),
  };
}

function json(body: object): Answer {
  return { status: 200, contentType: 'application/json', body: `${JSON.stringify(body)}\n` };
}
