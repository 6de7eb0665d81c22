// Bytes in, bytes out: reads HTTP requests into values for the router, writes its answers, and plays the faults.
// Knows nothing of secrets; paths outside the router (health, seal) are sys/unrouted.ts.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { TLSSocket } from 'node:tls';
import { isJsonObject, type JsonObject, parseJson } from '../../../../src/base/text/json.ts';
import type { Operation, VaultRequest } from '../backend.ts';
import type { Core } from '../core.ts';
import { parseSeconds } from '../fields.ts';
import { newUuid } from '../identifiers.ts';
import { type Answer, errorAnswer, resolveNamespace, route } from '../router.ts';
import { serveDevelopment } from '../sys/development.ts';
import { serveUnrouted } from '../sys/unrouted.ts';
import { badRequest, VaultError } from '../vault-error.ts';
import { type Fault, type FaultBox, vaultMethod } from './faults.ts';

const maxBodyBytes = 32 * 1024 * 1024;

export interface HttpFront {
  handle(request: IncomingMessage, response: ServerResponse): void;
}

export function createHttpFront(core: Core, faults: FaultBox): HttpFront {
  return {
    handle(request, response) {
      serve(core, faults, request, response).catch((error) => {
        core.logger.debug({ error: String(error) }, 'connection ended early');
        response.destroy();
      });
    },
  };
}

async function serve(
  core: Core,
  faults: FaultBox,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://vault.invalid');
  if (!url.pathname.startsWith('/v1/'))
    return send(request, response, { status: 404, body: '404 page not found\n' });
  const path = decodePath(url.pathname.slice('/v1/'.length));
  if (path.startsWith('sys/dev/'))
    return send(request, response, await development(core, faults, request, path));
  const method = vaultMethod(request, url.searchParams);
  faults.count(method, path);
  const fault = faults.take(method, path);
  if (fault !== undefined && !(await playBefore(core, fault, request, response))) return;
  const answer = await answerTo(core, request, path, method, url.searchParams);
  if (fault?.kind === 'drop') return void request.socket.destroy();
  if (fault?.kind === 'truncated') return sendTruncated(response, answer);
  send(request, response, answer);
}

/** False when the fault has answered, or has seen to it that nobody does. */
async function playBefore(
  core: Core,
  fault: Fault,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  if (fault.latencyMs !== undefined) await core.clock.sleep(fault.latencyMs);
  if (fault.kind === 'latency' || fault.kind === 'truncated' || fault.isAfterServing) return true;
  if (fault.kind === 'half-open') return false;
  if (fault.kind === 'drop') request.socket.destroy();
  if (fault.kind === 'status') send(request, response, statusAnswer(fault));
  if (fault.kind === 'malformed') send(request, response, jsonAnswer(200, '{"data": {"value": '));
  if (fault.kind === 'oversized') sendOversized(response, fault.bytes ?? 64 * 1024 * 1024);
  return false;
}

function statusAnswer(fault: Fault): Answer {
  const answer = errorAnswer(new VaultError(fault.status ?? 500, fault.errors ?? ['fault on demand']));
  if (fault.retryAfterSeconds === undefined) return answer;
  return { ...answer, headers: { 'retry-after': String(fault.retryAfterSeconds) } };
}

function sendTruncated(response: ServerResponse, answer: Answer): void {
  const body = Buffer.from(answer.body ?? '');
  response.writeHead(answer.status, {
    'content-type': answer.contentType ?? 'application/json',
    'content-length': body.length,
  });
  response.write(body.subarray(0, Math.floor(body.length / 2)), () => response.destroy());
}

function sendOversized(response: ServerResponse, bytes: number): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.write('{"request_id":"","lease_id":"","renewable":false,"lease_duration":0,"data":{"value":"');
  const piece = Buffer.alloc(64 * 1024, 'x');
  let left = bytes;
  const pump = (): void => {
    while (left > 0 && !response.destroyed) {
      left -= piece.length;
      if (!response.write(piece)) return void response.once('drain', pump);
    }
    if (!response.destroyed) response.end('"}}');
  };
  pump();
}

async function answerTo(
  core: Core,
  request: IncomingMessage,
  path: string,
  method: string,
  query: URLSearchParams,
): Promise<Answer> {
  const standby = standbyAnswer(core, request, path);
  if (standby !== undefined) return standby;
  const admission = core.quotas.admit(quotaPath(request, path), request.socket.remoteAddress ?? '');
  if (admission?.isAdmitted === false) return limitedAnswer(path, admission.headers);
  const answer = await serveRequest(core, request, path, method, query);
  return admission === undefined
    ? answer
    : { ...answer, headers: { ...answer.headers, ...admission.headers } };
}

function quotaPath(request: IncomingMessage, path: string): string {
  const namespace = header(request, 'x-vault-namespace').replace(/^\/+|\/+$/g, '');
  return namespace === '' || namespace === 'root' ? path : `${namespace}/${path}`;
}

function limitedAnswer(path: string, headers: Readonly<Record<string, string>>): Answer {
  const refusal = errorAnswer(new VaultError(429, [`request path "${path}": rate limit quota exceeded`]));
  return { ...refusal, headers: { ...headers } };
}

async function serveRequest(
  core: Core,
  request: IncomingMessage,
  path: string,
  method: string,
  query: URLSearchParams,
): Promise<Answer> {
  try {
    const data = await readData(request, method, query);
    const unrouted = serveUnrouted(core, { method, path, query, data, clientToken: clientToken(request) });
    if (unrouted !== undefined) return unrouted;
    if (core.seal.isSealed) throw new VaultError(503, ['Vault is sealed']);
    return await route(core, toVaultRequest(core, request, path, method, data));
  } catch (error) {
    if (error instanceof VaultError) return errorAnswer(error);
    throw error;
  }
}

function standbyAnswer(core: Core, request: IncomingMessage, path: string): Answer | undefined {
  const { role, activeAddress } = core.seal;
  if (
    role === 'active' ||
    role === 'performance-standby' ||
    /^sys\/(health|seal-status|leader|init)$/.test(path)
  )
    return undefined;
  if (activeAddress === undefined) {
    return errorAnswer(new VaultError(500, ['local node not active but active cluster node not found']));
  }
  return { status: 307, headers: { location: `${activeAddress.replace(/\/$/, '')}${request.url ?? ''}` } };
}

const operations: Readonly<Record<string, Operation>> = {
  GET: 'read',
  HEAD: 'read',
  LIST: 'list',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

function toVaultRequest(
  core: Core,
  request: IncomingMessage,
  path: string,
  method: string,
  data: JsonObject,
): VaultRequest {
  const operation = operations[method];
  if (operation === undefined) throw new VaultError(405, []);
  const resolved = resolveNamespace(core, header(request, 'x-vault-namespace'), path);
  if (resolved === undefined) throw new VaultError(404, ['namespace not found']);
  const certificate = peerCertificate(request);
  const isBare = operation === 'list' && !resolved.path.endsWith('/');
  return {
    id: newUuid(),
    operation,
    namespace: resolved.namespace,
    path: isBare ? `${resolved.path}/` : resolved.path,
    data,
    headers: Object.fromEntries(Object.entries(request.headers).map(([key, value]) => [key, String(value)])),
    clientToken: clientToken(request),
    remoteAddress: request.socket.remoteAddress ?? '',
    wrapTtlSeconds: wrapTtl(request),
    ...(certificate === undefined ? {} : { peerCertificate: certificate }),
  };
}

async function development(
  core: Core,
  faults: FaultBox,
  request: IncomingMessage,
  path: string,
): Promise<Answer> {
  const token = core.tokens.lookup(clientToken(request));
  if (!token?.policies.includes('root')) return errorAnswer(new VaultError(403, ['permission denied']));
  try {
    const method = vaultMethod(request, new URLSearchParams());
    return serveDevelopment(
      core,
      faults,
      method,
      path,
      await readData(request, method, new URLSearchParams()),
    );
  } catch (error) {
    if (error instanceof VaultError) return errorAnswer(error);
    throw error;
  }
}

async function readData(
  request: IncomingMessage,
  method: string,
  query: URLSearchParams,
): Promise<JsonObject> {
  if (method !== 'PUT' && method !== 'PATCH') return queryData(query);
  const body = await readBody(request);
  const type = request.headers['content-type'] ?? '';
  if (method === 'PATCH' && !type.startsWith('application/merge-patch+json')) {
    throw new VaultError(415, [
      `PATCH requires Content-Type of application/merge-patch+json, provided ${type}`,
    ]);
  }
  if (body.length === 0) return {};
  try {
    const parsed = parseJson(body.toString('utf8'));
    if (isJsonObject(parsed)) return parsed;
    if (parsed === null) return {};
  } catch {
    // Answered below; the parser's words may quote the body.
  }
  throw badRequest('failed to parse JSON input: invalid JSON object');
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > maxBodyBytes) throw new VaultError(413, ['error parsing JSON: http: request body too large']);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function queryData(query: URLSearchParams): JsonObject {
  const data: JsonObject = {};
  for (const key of new Set(query.keys())) {
    if (key === 'list' || key === 'help') continue;
    const values = query.getAll(key);
    data[key] = values.length === 1 ? (values[0] ?? '') : values;
  }
  return data;
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

export function clientToken(request: IncomingMessage): string {
  const own = header(request, 'x-vault-token');
  if (own !== '') return own;
  const bearer = /^Bearer (.+)$/.exec(header(request, 'authorization'));
  return bearer?.[1] ?? '';
}

export function header(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return Array.isArray(value) ? (value[0] ?? '') : (value ?? '');
}

function wrapTtl(request: IncomingMessage): number {
  const text = header(request, 'x-vault-wrap-ttl');
  if (text === '') return 0;
  const seconds = parseSeconds(text);
  if (seconds === undefined || seconds < 0)
    throw badRequest(`error parsing X-Vault-Wrap-TTL header: time: invalid duration ${JSON.stringify(text)}`);
  return seconds;
}

function peerCertificate(request: IncomingMessage): Buffer | undefined {
  if (!(request.socket instanceof TLSSocket)) return undefined;
  return request.socket.getPeerCertificate().raw;
}

function jsonAnswer(status: number, body: string): Answer {
  return { status, body, contentType: 'application/json' };
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  const body = answer.body === undefined ? undefined : Buffer.from(answer.body);
  response.writeHead(answer.status, {
    'cache-control': 'no-store',
    ...(answer.contentType ? { 'content-type': answer.contentType } : {}),
    ...(body === undefined ? {} : { 'content-length': body.length }),
    ...answer.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
