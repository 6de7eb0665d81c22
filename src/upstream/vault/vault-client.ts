// Requests to the cluster: namespace and token headers, failover between addresses, redirects to the active node, the
// budget, and the verdict on the server's health. Which token, and what an answer means to the asker, is left to others.
import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import type { Clock } from '../../base/clock.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { type JsonValue, stringifyJson } from '../../base/json.ts';
import type { Logger } from '../../base/logger.ts';
import type { SecretValue } from '../../base/secret-value.ts';
import type { Urgency } from '../../store/secret-reading.ts';
import type { Budget } from '../gate/budget.ts';
import { UpstreamFailure } from '../gate/failure.ts';
import { createHealth, type Health } from '../gate/health.ts';
import { type AddressList, createAddressList } from '../http/address-list.ts';
import { createFailback } from '../http/failback.ts';
import type { Transport, WireStream } from '../http/transport.ts';
import {
  invalidAnswer,
  isAborted,
  isForeign,
  sealed,
  serverRefusal,
  type VaultAnswer,
} from './answer-policy.ts';

export interface VaultRequest extends Urgency {
  readonly method: string;
  /** Without `/v1/`; each segment is escaped here. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: JsonValue;
  readonly token?: SecretValue | undefined;
  /** Instead of the upstream's own. */
  readonly namespace?: string | undefined;
  readonly signal: AbortSignal;
}

interface RawRequest {
  readonly method: string;
  /** Path and query as they go on the wire. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer | Readable | undefined;
  readonly signal: AbortSignal;
}

export interface StreamedAnswer extends WireStream {
  readonly address: string;
}

export interface VaultClient {
  readonly health: Health;
  readonly addresses: AddressList;
  /** Any answer that is not the server's refusal to serve at all. Throws `UpstreamFailure` or `aborted`. */
  request(request: VaultRequest): Promise<VaultAnswer>;
  /** As `request`, unread; refusals of the server are passed on too. */
  stream(request: RawRequest): Promise<StreamedAnswer>;
  close(): void;
}

export interface VaultClientOptions {
  readonly transport: Transport;
  readonly addresses: readonly string[];
  readonly namespace: string | undefined;
  readonly budget: Budget;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly onChange: () => void;
}

const mostRedirects = 3;
/** 412: the node that answers is behind the one that was written to (HashiCorp Vault's consistency headers). */
const mostRepeats = 4;
const repeatPauseMs = 100;
const longestRefusal = 64 * 1024;

export function createVaultClient(options: VaultClientOptions): VaultClient {
  const { transport, budget, clock, random, logger } = options;
  const addresses = createAddressList(options.addresses);
  const health = createHealth({ clock, random, logger, onChange: options.onChange, probe: probeAll });
  const failback = createFailback({ addresses, clock, random, probe, onReturn: options.onChange, logger });

  async function probeAll(signal: AbortSignal): Promise<UpstreamFailure | undefined> {
    let first: UpstreamFailure | undefined;
    for (const address of addresses.candidates()) {
      const found = await probe(address, signal);
      if (found === undefined) {
        settle(address);
        return undefined;
      }
      first ??= found;
    }
    return first;
  }

  async function probe(address: string, signal: AbortSignal): Promise<UpstreamFailure | undefined> {
    const release = await budget.acquire({ priority: 'interactive' }, signal);
    try {
      const target = '/v1/sys/health?drsecondarycode=472&performancestandbycode=473';
      const answer = await transport.exchange(address, { method: 'GET', target, headers: {}, signal });
      return healthVerdict({ ...answer, address });
    } catch (error) {
      if (error instanceof UpstreamFailure) return error;
      throw error;
    } finally {
      release();
    }
  }

  function settle(address: string): void {
    if (!addresses.use(address)) return;
    logger.info({ address }, 'another address of the upstream serves now');
    failback.watch();
    options.onChange();
  }

  /** One try at one address; budget and redirects included. */
  async function attempt<T extends { status: number; headers: IncomingHttpHeaders }>(
    address: string,
    request: RawRequest,
    urgency: Urgency,
    send: (address: string, request: RawRequest) => Promise<T>,
  ): Promise<T & { address: string }> {
    let [origin, target] = [address, request.target];
    for (let hop = 0; ; hop += 1) {
      const release = await budget.acquire(urgency, request.signal);
      let answer: T;
      try {
        answer = await send(origin, { ...request, target });
      } catch (error) {
        throw hop > 0 && error instanceof UpstreamFailure ? lostOnRedirect(address, origin, error) : error;
      } finally {
        release();
      }
      const next = redirectOf(answer, origin);
      if (next === undefined || !isRepeatable(request.body)) return { ...answer, address: origin };
      if (hop === mostRedirects) throw redirectLoop(address);
      [origin, target] = next;
    }
  }

  async function eachAddress<T>(target: string, tryOne: (address: string) => Promise<T>): Promise<T> {
    health.check();
    let last: UpstreamFailure | undefined;
    for (const address of addresses.candidates()) {
      try {
        const answer = await tryOne(address);
        settle(address);
        return answer;
      } catch (error) {
        if (!(error instanceof UpstreamFailure)) throw error;
        last = error;
        if (error.wasSent || error.state === 'answer_invalid' || error.state === 'rate_limited') break;
      }
    }
    if (last === undefined) throw new LatchkeyError('usage', 'the upstream has no address');
    if (last.wasSent && last.state === 'unavailable') health.suspect();
    else health.away(last, target);
    throw last;
  }

  async function once(request: VaultRequest, raw: RawRequest): Promise<VaultAnswer> {
    return await eachAddress(raw.target, async (address) => {
      const answer = await attempt(address, raw, request, (origin, sent) => transport.exchange(origin, sent));
      const refusal = serverRefusal(answer);
      if (refusal) throw refusal;
      if (isForeign(answer)) throw invalidAnswer(`${raw.method} ${request.path}`, answer);
      return answer;
    });
  }

  return {
    health,
    addresses,
    async request(request) {
      const raw = rawRequest(request, options.namespace);
      for (let repeat = 0; ; repeat += 1) {
        const answer = await once(request, raw);
        if (answer.status !== 412 || repeat === mostRepeats) {
          if (answer.status < 300) health.reached(raw.target);
          return answer;
        }
        await sleepOrAbort(clock, repeatPauseMs * 2 ** repeat * (0.5 + random()), request.signal);
      }
    },
    async stream(request) {
      let refused: StreamedAnswer | undefined;
      try {
        return await eachAddress(request.target, async (address) => {
          const answer = await attempt(address, request, { priority: 'interactive' }, (origin, sent) =>
            transport.open(origin, sent),
          );
          if (answer.status !== 500 && answer.status !== 501 && answer.status !== 503) return answer;
          const body = await readStart(answer.body);
          refused = { ...answer, body: Readable.from([body]) };
          const refusal = serverRefusal({ ...answer, body });
          if (refusal) throw refusal;
          return refused;
        });
      } catch (error) {
        if (refused !== undefined && error instanceof UpstreamFailure) return refused;
        throw error;
      }
    },
    close() {
      health.close();
      failback.close();
    },
  };
}

/** What `sys/health` says by its status: active, standby and performance standby all take requests. */
function healthVerdict(answer: VaultAnswer): UpstreamFailure | undefined {
  const { status, address } = answer;
  if (status === 200 || status === 429 || status === 473) return undefined;
  if (status === 503 && answer.body.includes('"sealed":true')) return sealed(address, status);
  if (status === 472 || status === 474 || status === 530) {
    return new UpstreamFailure('standby', `the vault at ${address} serves nobody (health ${status})`, {
      status,
      remedy: 'give the address of the primary cluster or of an active node',
    });
  }
  return serverRefusal(answer) ?? invalidAnswer('health', answer);
}

function rawRequest(request: VaultRequest, ownNamespace: string | undefined): RawRequest {
  const namespace = request.namespace ?? ownNamespace;
  const query = new URLSearchParams(request.query).toString();
  const path = request.path.split('/').map(encodeURIComponent).join('/');
  return {
    method: request.method,
    target: `/v1/${path}${query === '' ? '' : `?${query}`}`,
    headers: {
      'x-vault-request': 'true',
      accept: 'application/json',
      ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
      ...(request.token === undefined ? {} : { 'x-vault-token': request.token.text() }),
      ...request.headers,
    },
    body: request.body === undefined ? undefined : Buffer.from(stringifyJson(request.body), 'utf8'),
    signal: request.signal,
  };
}

/** Where a 307 or 308 leads: origin and target. The scheme must not fall from https to http, for the token goes along. */
function redirectOf(
  answer: { status: number; headers: IncomingHttpHeaders },
  origin: string,
): [string, string] | undefined {
  const { location } = answer.headers;
  if ((answer.status !== 307 && answer.status !== 308) || location === undefined) return undefined;
  const url = URL.parse(location, origin);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== new URL(origin).protocol)) {
    throw new UpstreamFailure(
      'answer_invalid',
      `${origin} redirects to where no vault can be reached safely`,
      {
        status: answer.status,
        remedy: 'set api_addr of every node to its https:// address',
        wasSent: true,
      },
    );
  }
  return [url.origin, `${url.pathname}${url.search}`];
}

function lostOnRedirect(address: string, origin: string, failure: UpstreamFailure): UpstreamFailure {
  const message = `the standby ${address} redirects to ${origin}, and there ${failure.message}`;
  return new UpstreamFailure(failure.wasSent ? failure.state : 'standby', message, {
    cause: failure,
    remedy: failure.remedy ?? 'set api_addr of every node to an address that its clients reach',
    wasSent: failure.wasSent,
  });
}

function redirectLoop(address: string): UpstreamFailure {
  return new UpstreamFailure('standby', `${address} redirects in a circle`, {
    remedy: 'set api_addr of every node to its own address',
  });
}

/** The bodies of refusals are short; a longer one is not Vault's and is cut. */
async function readStart(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > longestRefusal) break;
  }
  return Buffer.concat(chunks);
}

function isRepeatable(body: Buffer | Readable | undefined): boolean {
  return body === undefined || Buffer.isBuffer(body);
}

async function sleepOrAbort(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, signal);
  } catch (error) {
    if (isAborted(error)) throw error;
    throw new LatchkeyError('aborted', 'the request was given up before it was repeated', { cause: error });
  }
}
