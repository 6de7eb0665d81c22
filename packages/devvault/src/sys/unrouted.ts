// The sys paths that answer even when sealed: health, seal, unseal, seal-status, leader, init.
import type { JsonObject } from '../../../../src/base/text/json.ts';
import type { Core } from '../core.ts';
import { boolField, textField } from '../fields.ts';
import { type Answer, errorAnswer } from '../router.ts';
import { badRequest, permissionDenied, VaultError } from '../vault-error.ts';

interface UnroutedRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  data: JsonObject;
  clientToken: string;
}

/** Undefined when the path is not one of these. */
export function serveUnrouted(core: Core, request: UnroutedRequest): Answer | undefined {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const isWrite = request.method === 'PUT';
  switch (request.path) {
    case 'sys/health':
      return isRead ? health(core, request.query) : wrongMethod();
    case 'sys/seal-status':
      return isRead ? json(sealStatus(core)) : wrongMethod();
    case 'sys/init':
      return isRead
        ? json({ initialized: core.seal.isInitialized })
        : errorAnswer(badRequest('Vault is already initialized'));
    case 'sys/leader':
      return isRead ? json(leader(core)) : wrongMethod();
    case 'sys/seal':
      return isWrite ? seal(core, request.clientToken) : wrongMethod();
    case 'sys/unseal':
      return isWrite ? unseal(core, request.data) : wrongMethod();
    default:
      return undefined;
  }
}

function health(core: Core, query: URLSearchParams): Answer {
  const { isSealed, isInitialized, role } = core.seal;
  const status = healthStatus(core, query);
  if (status === undefined) return { status: 400, contentType: 'application/json', body: '{"errors":[]}\n' };
  const body = {
    initialized: isInitialized,
    sealed: isSealed,
    standby: isSealed || role === 'standby' || role === 'performance-standby',
    ...(core.flavor === 'vault' ? { performance_standby: role === 'performance-standby' } : {}),
    replication_performance_mode: isSealed ? 'unknown' : 'disabled',
    replication_dr_mode: isSealed ? 'unknown' : role === 'dr-secondary' ? 'secondary' : 'disabled',
    server_time_utc: Math.floor(core.clock.wall() / 1000),
    version: core.version,
    ...(isSealed ? {} : { cluster_name: core.clusterName, cluster_id: core.clusterId }),
  };
  return json(body, status);
}

function healthStatus(core: Core, query: URLSearchParams): number | undefined {
  const { isSealed, isInitialized, role } = core.seal;
  const code = (name: string, fallback: number): number =>
    query.has(name) ? Number(query.get(name)) : fallback;
  const codes = {
    uninit: code('uninitcode', 501),
    sealed: code('sealedcode', 503),
    standby: code('standbycode', 429),
    performance: code('performancestandbycode', 473),
    dr: code('drsecondarycode', 472),
    active: code('activecode', 200),
  };
  if (Object.values(codes).some((value) => !Number.isInteger(value))) return undefined;
  if (!isInitialized) return codes.uninit;
  if (isSealed) return codes.sealed;
  if (role === 'dr-secondary') return codes.dr;
  if (role === 'performance-standby') return isOk(query, 'perfstandbyok') ? codes.active : codes.performance;
  if (role === 'standby') return isOk(query, 'standbyok') ? codes.active : codes.standby;
  return codes.active;
}

function isOk(query: URLSearchParams, name: string): boolean {
  return query.has(name) && query.get(name) !== 'false' && query.get(name) !== '0';
}

function sealStatus(core: Core): object {
  return {
    type: 'shamir',
    initialized: core.seal.isInitialized,
    sealed: core.seal.isSealed,
    t: 1,
    n: 1,
    progress: 0,
    nonce: '',
    version: core.version,
    build_date: '2026-01-01T00:00:00Z',
    migration: false,
    recovery_seal: false,
    storage_type: 'inmem',
    ...(core.seal.isSealed ? {} : { cluster_name: core.clusterName, cluster_id: core.clusterId }),
  };
}

function leader(core: Core): object {
  return {
    ha_enabled: false,
    is_self: core.seal.role === 'active',
    active_time: '0001-01-01T00:00:00Z',
    leader_address: core.seal.activeAddress ?? '',
    leader_cluster_address: '',
    performance_standby: core.seal.role === 'performance-standby',
    performance_standby_last_remote_wal: 0,
  };
}

function seal(core: Core, clientToken: string): Answer {
  if (core.seal.isSealed) return errorAnswer(new VaultError(503, ['Vault is sealed']));
  const token = core.tokens.lookup(clientToken);
  const isAllowed =
    token && core.aclOf(token).allows({ path: 'sys/seal', capability: 'update', needsSudo: true });
  if (!isAllowed) return errorAnswer(permissionDenied());
  core.seal.seal();
  return { status: 204 };
}

function unseal(core: Core, data: JsonObject): Answer {
  const key = textField(data, 'key');
  if (boolField(data, 'reset')) return json(sealStatus(core));
  if (key === '')
    return errorAnswer(badRequest("'key' must be specified in request body as JSON, or 'reset' set to true"));
  if (core.seal.isSealed && !core.seal.unseal(key)) {
    return errorAnswer(badRequest('Unseal failed, invalid key'));
  }
  return json(sealStatus(core));
}

function wrongMethod(): Answer {
  return errorAnswer(new VaultError(405, []));
}

function json(body: object, status = 200): Answer {
  return { status, contentType: 'application/json', body: `${JSON.stringify(body)}\n` };
}
