// Passes a request of the Vault dialect on, with the token that it goes by, and streams the answer back.

import type { IncomingHttpHeaders } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import type { ForwardedAnswer } from '../../base/forwarded.ts';
import { SecretValue } from '../../base/secret-value.ts';
import {
  isJsonObject,
  JsonNumber,
  type JsonObject,
  type JsonValue,
  parseJson,
  stringifyJson,
} from '../../base/text/json.ts';
import { jsonExcess } from '../../base/text/json-excess.ts';
import type { AgentView } from '../agent-view.ts';
import type { Exchange } from '../http/exchange.ts';
import { keepOf, readBody } from '../http/http-request.ts';
import { isListenerToken } from '../listen/connection.ts';
import type { VaultTarget } from './vault-path-policy.ts';

/** The token that a request goes by: the caller's own, `auto` for the agent's, undefined for none. */
export type VaultToken = SecretValue | 'auto' | undefined;

/** Bodies up to this size are taken in first: the request can be repeated then, and what it revokes is known. */
const maxRepeatableBytes = 256 * 1024;
/** Answers that are looked into. */
const maxEditedBytes = 1024 * 1024;

/** Of a hop, and what we tell by ourselves (RFC 9110, 7.6.1). */
const droppedHeaders = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'trailer', 'te']);

/** The listener's own token proves who asks and is no token of the vault. */
export function tokenOf(exchange: Exchange): VaultToken {
  const { connection, headers } = exchange;
  const mode = connection.scope.config.useAutoAuthToken;
  if (mode === 'force') return 'auto';
  const shown = [headers['x-vault-token'], headers.authorization?.match(/^bearer +(.+)$/i)?.[1]];
  const own = shown.find(
    (value) => typeof value === 'string' && value !== '' && !isListenerToken(connection, value),
  );
  if (typeof own === 'string') return SecretValue.fromText(own);
  return mode === 'never' ? undefined : 'auto';
}

export interface PassedRequest {
  readonly namespace: string | undefined;
  readonly token: VaultToken;
  readonly body: Buffer | Readable | undefined;
  readonly signal: AbortSignal;
  /** Upstream must answer in the clear, for the answer is looked into. */
  readonly isEdited?: boolean;
}

export function passOn(
  exchange: Exchange,
  target: VaultTarget,
  view: AgentView,
  request: PassedRequest,
): Promise<ForwardedAnswer> {
  const { namespace, token, body, signal } = request;
  const headers: Record<string, string | string[] | undefined> = { ...exchange.headers };
  delete headers['x-vault-token'];
  // Every one of them may carry the listener's token; the vault gets the token that was decided on.
  delete headers['authorization'];
  delete headers['x-aws-parameters-secrets-token'];
  if (request.isEdited === true) delete headers['x-vault-wrap-ttl'];
  if (request.isEdited === true || token === 'auto') {
    // In the clear and in one piece, for the answer is looked into.
    headers['accept-encoding'] = 'identity';
    for (const name of ['range', 'if-range']) delete headers[name];
  }
  return view.forward({
    method: exchange.method,
    path: target.rawPath,
    query: target.query,
    namespace,
    headers,
    body,
    token,
    signal,
  });
}

/** Small bodies whole, others as they come. */
export async function bodyOf(exchange: Exchange): Promise<Buffer | Readable | undefined> {
  const { 'content-length': length, 'transfer-encoding': encoding } = exchange.headers;
  if (encoding === undefined && (length === undefined || length === '0')) return undefined;
  if (encoding === undefined) {
    if (Number(length) > maxRepeatableBytes) return exchange.request;
    return await readBody(exchange, maxRepeatableBytes);
  }
  const chunks: Buffer[] = [];
  let size = 0;
  const rest: AsyncIterator<Buffer> = exchange.request.iterator({ destroyOnReturn: false });
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
    keepOf(exchange, next.value);
    chunks.push(next.value);
    size += next.value.length;
    if (size > maxRepeatableBytes) return Readable.from(joined(chunks, rest));
  }
  return Buffer.concat(chunks);
}

async function* joined(chunks: readonly Buffer[], rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield* chunks;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

/**
 * An answer that is looked into where it is JSON and small. `answer` still has its whole body; it must have come in the
 * clear.
 */
export async function smallJson(
  answer: ForwardedAnswer,
): Promise<{ json?: JsonObject; body?: Buffer; answer: ForwardedAnswer }> {
  return /\bjson\b/.test(answer.headers['content-type'] ?? '') ? await smallBody(answer) : { answer };
}

/** Whatever the answer calls itself. */
async function smallBody(
  answer: ForwardedAnswer,
): Promise<{ json?: JsonObject; body?: Buffer; answer: ForwardedAnswer }> {
  const { headers } = answer;
  const isLarge = Number(headers['content-length'] ?? 0) > maxEditedBytes;
  if (isLarge || headers['content-encoding'] !== undefined) return { answer };
  const chunks: Buffer[] = [];
  let size = 0;
  const rest: AsyncIterator<Buffer> = answer.body[Symbol.asyncIterator]();
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
    chunks.push(next.value);
    size += next.value.length;
    if (size <= maxEditedBytes) continue;
    const joint = Readable.from(joined(chunks, rest)).once('close', () => answer.body.destroy());
    return { answer: { ...answer, body: joint } };
  }
  const body = Buffer.concat(chunks);
  return { json: jsonFields(body), body, answer: { ...answer, body: Readable.from([body]) } };
}

/** The fields of a JSON body; empty where it is none. */
export function jsonFields(body: Buffer | Readable | undefined): JsonObject {
  if (!Buffer.isBuffer(body) || jsonExcess(body) !== undefined) return {};
  try {
    const value = parseJson(body.toString('utf8'));
    return isJsonObject(value) ? value : {};
  } catch {
    // Upstream will say what is wrong with it.
    return {};
  }
}

/** A string or a number of a JSON body, as it is written. */
export function textIn(body: Buffer | Readable | undefined, field: string): string | undefined {
  const value = jsonFields(body)[field];
  return typeof value === 'string' ? value : value instanceof JsonNumber ? value.text : undefined;
}

export function streamBack(exchange: Exchange, answer: ForwardedAnswer): void {
  // What was looked into is there as a whole; it is upstream's by now, so it goes out whatever it costs.
  const length = Number(answer.headers['content-length'] ?? maxEditedBytes);
  exchange.keeps(length >= 0 ? Math.min(length, maxEditedBytes) : maxEditedBytes);
  exchange.answer(answer.status, answerHeaders(answer.headers), (response) => {
    // A client that goes away ends the request upstream; one that upstream cuts off must see that.
    pipeline(answer.body, response, (error) => {
      if (error) response.destroy();
    });
  });
  exchange.whenOver(() => answer.body.destroy());
}

/** The answer with `edit` of its JSON; anything else stays as it is. */
export async function edited(
  answer: ForwardedAnswer,
  edit: (json: JsonObject) => JsonValue,
): Promise<ForwardedAnswer> {
  if (answer.status !== 200) return answer;
  const { json = {}, answer: whole } = await smallBody(answer);
  if (Object.keys(json).length === 0) return whole;
  const body = Buffer.from(`${stringifyJson(edit(json))}\n`, 'utf8');
  const headers = { ...answer.headers, 'content-length': String(body.length) };
  return { ...answer, headers, body: Readable.from([body]) };
}

/** Without id and accessor of the agent's own token, as Vault's agent leaves them out. */
export function withoutTokenIds(json: JsonObject): JsonObject {
  const { data, auth } = json;
  const edited = { ...json };
  if (isJsonObject(data)) {
    const { id: _id, accessor: _accessor, ...rest } = data;
    edited['data'] = rest;
  }
  if (isJsonObject(auth)) edited['auth'] = { ...auth, client_token: '', accessor: '' };
  return edited;
}

/** The accessor that an answer about a token tells. */
export function accessorIn(json: JsonObject): string | undefined {
  for (const part of [json['data'], json['auth']]) {
    const accessor = isJsonObject(part) ? part['accessor'] : undefined;
    if (typeof accessor === 'string' && accessor !== '') return accessor;
  }
  return undefined;
}

function answerHeaders(headers: IncomingHttpHeaders): string[] {
  return Object.entries(headers).flatMap(([name, value]) => {
    if (value === undefined || droppedHeaders.has(name)) return [];
    return (Array.isArray(value) ? value : [value]).flatMap((one) => [titled(name), one]);
  });
}

function titled(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}
