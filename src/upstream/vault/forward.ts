// Passes a request of the Vault dialect on as it came, with the caller's token or the agent's own, and streams the answer.

import { Readable } from 'node:stream';
import type { ForwardedAnswer, ForwardedRequest } from '../../base/forwarded.ts';
import type { Session } from './session/session.ts';
import type { StreamedAnswer, VaultClient } from './vault-client.ts';

export interface ForwardOptions {
  readonly client: VaultClient;
  readonly session: Session;
  /** Sent when the caller names none. */
  readonly namespace: string | undefined;
}

/** RFC 9110 §7.6.1, and what this hop decides by itself. */
const ownHeaders = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'host',
  'x-vault-token',
  'x-vault-namespace',
]);
const longestRefusal = 64 * 1024;

export async function forwardTo(
  request: ForwardedRequest,
  options: ForwardOptions,
): Promise<ForwardedAnswer> {
  const { client, session, namespace } = options;
  const send = (token: string | undefined) =>
    client.stream({
      method: request.method,
      target: request.query === '' ? request.path : `${request.path}?${request.query}`,
      headers: outgoingHeaders(request, namespace, token),
      body: request.body,
      signal: request.signal,
    });
  if (request.token !== 'auto') return await send(request.token?.text());
  const token = await session.token(request.signal);
  const answer = await send(token.value.text());
  const isRepeatable = request.body === undefined || Buffer.isBuffer(request.body);
  if (answer.status !== 403) return answer;
  const buffered = await bufferedAnswer(answer);
  const isRefused = await session.isRefused(token, buffered.answer, request.path);
  if (!isRefused || !isRepeatable) return buffered.response;
  return await send((await session.token(request.signal)).value.text());
}

async function bufferedAnswer(answer: StreamedAnswer) {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > longestRefusal) break;
  }
  const body = Buffer.concat(chunks);
  return { answer: { ...answer, body }, response: { ...answer, body: Readable.from([body]) } };
}

function outgoingHeaders(
  request: ForwardedRequest,
  ownNamespace: string | undefined,
  token: string | undefined,
): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { 'x-vault-request': 'true' };
  const named = String(request.headers['connection'] ?? '')
    .toLowerCase()
    .split(/\s*,\s*/);
  for (const [name, value] of Object.entries(request.headers)) {
    const lower = name.toLowerCase();
    if (value === undefined || ownHeaders.has(lower) || named.includes(lower)) continue;
    headers[lower] = typeof value === 'string' ? value : [...value];
  }
  // A stream goes on in chunks of its own.
  if (!Buffer.isBuffer(request.body)) delete headers['content-length'];
  const namespace = request.namespace ?? ownNamespace;
  if (namespace !== undefined) headers['x-vault-namespace'] = namespace;
  if (token !== undefined) headers['x-vault-token'] = token;
  return headers;
}
