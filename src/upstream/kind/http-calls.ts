// Requests of a kind that is asked over HTTP: within the budget, over the transport, and with one meaning for statuses.
import { isUtf8 } from 'node:buffer';
import { LatchkeyError } from '../../base/errors.ts';
import { isJsonObject, type JsonObject, parseJson } from '../../base/text/json.ts';
import type { ServerConfig } from '../../config/upstreams/server-config.ts';
import type { RequestOptions } from '../../store/secret-reading.ts';
import type { Charge } from '../gate/allowance.ts';
import { UpstreamFailure } from '../gate/failure.ts';
import type { GateStatus } from '../gate/gate.ts';
import { retryAfterMs } from '../http/retry-after.ts';
import { createTlsWatch } from '../http/tls-watch.ts';
import { createTransport, type WireAnswer, type WireStream } from '../http/transport.ts';
import type { SourceOptions } from '../secret-source.ts';
import { createKindGate } from './kind-gate.ts';

export interface HttpCall {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Absolute. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Asked twice it makes nothing more; default: a GET. */
  readonly isHarmless?: boolean;
  /** What it uses up of limits; absent: one read. */
  readonly charge?: Charge;
}

export interface HttpAnswer extends WireAnswer {
  /** For messages: without the query, which may hold credentials. */
  readonly where: string;
}

export interface HttpCalls {
  send(call: HttpCall, request: RequestOptions): Promise<HttpAnswer>;
  /** The answer as it comes, outside the budget: for watches. */
  open(call: HttpCall, signal: AbortSignal): Promise<WireStream>;
  budget(): GateStatus;
  close(): Promise<void>;
}

export function createHttpCalls(options: SourceOptions<ServerConfig>): HttpCalls {
  const { config, clock, logger, faultOf } = options;
  const gate = createKindGate(options, config.budget);
  const { tls, proxy, timeoutMs, maxBodyBytes } = config;
  const transport = createTransport({ tls, proxy, timeoutMs, maxBodyBytes, clock, faultOf });
  const tlsWatch = createTlsWatch({ config, logger, onChange: transport.reload });
  tlsWatch.start();

  return {
    async send(call, { priority, promoted, signal }) {
      const { address, target, where } = placeOf(call.url);
      const { charge, method = 'GET', isHarmless = method === 'GET' } = call;
      const exchange = (may: boolean) =>
        gate.pass({ lane: priority, promoted, signal, charge }, () =>
          transport.exchange(address, { ...wireOf(call), target, signal, isHarmless: may }),
        );
      const answer = await exchange(isHarmless).catch((error: unknown) => {
        if (error instanceof UpstreamFailure && error.isSilent) return exchange(false);
        throw error;
      });
      return { ...answer, where };
    },
    open(call, signal) {
      const { address, target } = placeOf(call.url);
      return transport.open(address, { ...wireOf(call), target, signal });
    },
    budget: gate.status,
    async close() {
      gate.close();
      tlsWatch.close();
      await transport.close();
    },
  };
}

function wireOf({ method = 'GET', headers = {}, body }: HttpCall) {
  return {
    method,
    headers: { 'user-agent': 'latchkey', ...headers },
    body: typeof body === 'string' ? Buffer.from(body) : body,
  };
}

function placeOf(url: string): { address: string; target: string; where: string } {
  const { origin, pathname, search } = new URL(url);
  return { address: origin, target: `${pathname}${search}`, where: `${origin}${pathname}` };
}

/**
 * What a status means where the kind knows nothing better: throws for all but 2xx and 304. `what` is what was asked for;
 * `detail` is the kind's reading of the answer, and holds nothing secret.
 */
export function checkStatus(answer: HttpAnswer, what: string, detail = ''): void {
  const { status, where } = answer;
  if ((status >= 200 && status < 300) || status === 304) return;
  const told = detail === '' ? '' : `: ${detail}`;
  const waitMs = retryAfterMs(answer.headers);
  const more = { status, ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }) };
  if (status === 429) {
    throw new UpstreamFailure('rate_limited', `${where} answers 429, too many requests${told}`, {
      ...more,
      remedy: 'raise refresh of the secrets, or lower budget',
    });
  }
  if (status === 401)
    throw new LatchkeyError('token_invalid', `${where} does not accept the credentials (401)${told}`);
  if (status === 403) throw new LatchkeyError('denied', `${where} does not allow ${what} (403)${told}`);
  if (status === 404 || status === 410)
    throw new LatchkeyError('not_found', `there is no ${what} at ${where}${told}`);
  if (status === 408 || status >= 500) {
    throw new UpstreamFailure('unavailable', `${where} answers ${status}${told}`, { ...more, wasSent: true });
  }
  if (status >= 300 && status < 400) {
    throw new UpstreamFailure(
      'answer_invalid',
      `${where} answers ${status}: redirects are not followed with credentials`,
      {
        ...more,
        remedy: 'correct the address',
      },
    );
  }
  throw new LatchkeyError('request_invalid', `${where} answers ${status} to the request for ${what}${told}`);
}

/** The body as a JSON object. Throws `upstream_answer_invalid`, without a word of it. */
export function jsonBody({ body, where }: Pick<HttpAnswer, 'body' | 'where'>): JsonObject {
  try {
    // Decoded all the same, bytes that are no UTF-8 would become others unseen.
    const value = isUtf8(body) ? parseJson(body.toString('utf8')) : undefined;
    if (isJsonObject(value)) return value;
  } catch {
    // The parser's error would quote the answer.
  }
  throw new UpstreamFailure('answer_invalid', `${where} answers something else than a JSON object`, {
    remedy: 'check the address, and what stands between',
  });
}
