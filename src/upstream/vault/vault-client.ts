// Requests to the cluster, each through the gate: namespace and token headers, failover between addresses, redirects to the
// active node, and the verdict on the server's health. Which token, and what an answer means to the asker, is left to others.
import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import { LatchkeyError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Clock } from '../../base/time/clock.ts';
import { isAborted, UpstreamFailure } from '../gate/failure.ts';
import type { Gate } from '../gate/gate.ts';
import type { Health } from '../gate/health.ts';
import { type AddressList, createAddressList } from '../http/address-list.ts';
import { createFailback } from '../http/failback.ts';
import type { ServerClock } from '../http/server-clock.ts';
import type { Transport, WireAnswer, WireStream } from '../http/transport.ts';
import {
  answerJson,
  answerTexts,
  invalidAnswer,
  isForeign,
  sealed,
  serverRefusal,
  type VaultAnswer,
} from './answer-policy.ts';
import { createLeaderTable, isRedirect } from './leader.ts';
import { callerPath, type RawRequest, rawRequest, scopeOf, type VaultRequest } from './vault-request.ts';

export interface StreamedAnswer extends WireStream {
  readonly address: string;
}

export interface VaultClient {
  readonly health: Health;
  readonly addresses: AddressList;
  /** Any answer that is not the server's refusal to serve at all. Throws `UpstreamFailure` or `aborted`. */
  request(request: VaultRequest): Promise<VaultAnswer>;
  /** Asks every address until one serves; resolves to what is wrong with the first, or undefined. */
  probe(signal: AbortSignal): Promise<UpstreamFailure | undefined>;
  /** As `request`, for a local caller and unread; refusals of the server are passed on too. */
  stream(request: RawRequest): Promise<StreamedAnswer>;
  close(): void;
}

export interface VaultClientOptions {
  readonly transport: Transport;
  readonly addresses: readonly string[];
  readonly namespace: string | undefined;
  readonly gate: Gate;
  readonly serverClock: ServerClock;
  /** The mount of a path where it is known, with a slash at the end. */
  readonly mountOf: (path: string) => string | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly onChange: () => void;
}

type Answered = { status: number; headers: IncomingHttpHeaders; body: Buffer | Readable };

const mostRedirects = 3;
/** 412: the node that answers is behind the one that was written to (HashiCorp Vault's consistency headers). */
const mostRepeats = 4;
const repeatPauseMs = 100;
const longestRefusal = 64 * 1024;
const healthTarget = '/v1/sys/health?drsecondarycode=472&performancestandbycode=473';
/** Open to everybody, changes nothing, and answered by the active node alone. */
const reachTarget = '/v1/sys/internal/ui/mounts';

export function createVaultClient(options: VaultClientOptions): VaultClient {
  const { transport, gate, serverClock, clock, random, logger } = options;
  const { health } = gate;
  const addresses = createAddressList(options.addresses);
  const leaders = createLeaderTable({ clock, addresses: addresses.candidates, askLeader });
  const failback = createFailback({ addresses, clock, random, probe, onReturn: options.onChange, logger });

  async function exchange(address: string, request: RawRequest): Promise<WireAnswer> {
    const sentAt = clock.wall();
    const answer = await transport.exchange(address, request);
    serverClock.note(answer.headers.date, sentAt);
    gate.quota.agentAnswered(answer.headers);
    return answer;
  }

  async function ask(address: string, target: string, signal: AbortSignal): Promise<VaultAnswer> {
    const send = () => exchange(address, plain(target, signal));
    return { ...(await gate.pass({ lane: 'interactive', signal }, send)), address };
  }

  async function askLeader(address: string, signal: AbortSignal): Promise<string | undefined> {
    const told = answerJson(await ask(address, '/v1/sys/leader', signal))?.['leader_address'];
    return typeof told === 'string' && told !== '' ? told : undefined;
  }

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

  /** A standby is as good as the active node that it leads to: its own health says nothing of that. */
  async function probe(address: string, signal: AbortSignal): Promise<UpstreamFailure | undefined> {
    try {
      const answer = await ask(address, healthTarget, signal);
      const verdict = healthVerdict(answer);
      if (verdict !== undefined || answer.status === 200) return verdict;
      // A quota over all paths limits this one too, and whoever limits lives.
      if (answerTexts(answer).length > 0) return undefined;
      const turn = { lane: 'interactive', signal } as const;
      const refusal = serverRefusal(await attempt(address, plain(reachTarget, signal), turn, exchange));
      return refusal?.state === 'rate_limited' ? undefined : refusal;
    } catch (error) {
      if (error instanceof UpstreamFailure) return error;
      throw error;
    }
  }

  function settle(address: string): void {
    if (!addresses.use(address)) return;
    logger.info({ address }, 'another address of the upstream serves now');
    failback.watch();
    options.onChange();
  }

  /** One try at one address; the gate and redirects included. */
  async function attempt<T extends Answered>(
    address: string,
    request: RawRequest,
    turn: Omit<Parameters<Gate['pass']>[0], 'signal'>,
    send: (address: string, request: RawRequest) => Promise<T>,
  ): Promise<T & { address: string }> {
    const { signal } = request;
    let origin = isRepeatable(request.body) ? address : await whereToSend(address, signal);
    let { target } = request;
    for (let hop = 0; ; hop += 1) {
      let answer: T;
      try {
        const sent = target === request.target ? request : { ...request, target };
        answer = await gate.pass({ ...turn, signal }, () => send(origin, sent));
      } catch (error) {
        throw hop > 0 && error instanceof UpstreamFailure ? lostOnRedirect(address, origin, error) : error;
      }
      const next = await leaders.follow(answer, origin, signal).finally(() => discardRedirect(answer));
      if (next === undefined) {
        leaders.note(address, origin);
        return { ...answer, address: origin };
      }
      if (!isRepeatable(request.body)) throw leaderMoved(origin);
      if (hop === mostRedirects) throw redirectLoop(address);
      [origin, target] = next;
    }
  }

  /** A body that comes as a stream is gone when it was sent: who takes it is found out before. */
  async function whereToSend(address: string, signal: AbortSignal): Promise<string> {
    const known = leaders.find(address);
    if (known !== undefined) return known;
    const turn = { lane: 'interactive', signal } as const;
    return (await attempt(address, plain(reachTarget, signal), turn, exchange)).address;
  }

  async function eachAddress<T>(
    target: string,
    tryOne: (address: string, isLast: boolean) => Promise<T>,
  ): Promise<T> {
    health.check();
    let last: UpstreamFailure | undefined;
    const candidates = addresses.candidates();
    for (const address of candidates) {
      try {
        const answer = await tryOne(address, address === candidates.at(-1));
        settle(address);
        return answer;
      } catch (error) {
        if (!(error instanceof UpstreamFailure)) throw error;
        last = error;
        const isDone = error.wasSent && !error.isSilent;
        if (isDone || error.state === 'answer_invalid' || error.state === 'rate_limited') break;
      }
    }
    if (last === undefined) throw new LatchkeyError('usage', 'the upstream has no address');
    if (last.wasSent && last.state === 'unavailable') health.suspect();
    else if (last.state !== 'rate_limited') health.away(last, target);
    throw last;
  }

  async function once(request: VaultRequest, raw: RawRequest): Promise<VaultAnswer> {
    const turn = { lane: request.priority, promoted: request.promoted };
    return await eachAddress(raw.target, async (address, isLast) => {
      const send = (sent: RawRequest) => attempt(address, sent, turn, exchange);
      const answer = await send(raw).catch((error: unknown) => {
        if (raw.isHarmless !== true || !(error instanceof UpstreamFailure)) throw error;
        // Load balancers close idle connections when they like, also in the moment in which one is used again.
        if (error.isCut) return send(raw);
        if (!error.isSilent) throw error;
        health.suspect();
        if (!isLast) throw error;
        // Its time is not over: the server may be no more than slow.
        return send({ ...raw, isHarmless: false });
      });
      const refusal = serverRefusal(answer);
      if (refusal) throw refusal;
      if (request.isKnown?.(answer.body) !== true && isForeign(answer))
        throw invalidAnswer(`${raw.method} ${request.path}`, answer);
      return answer;
    });
  }

  return {
    health,
    addresses,
    probe: probeAll,
    async request(request) {
      const raw = rawRequest(request, options.namespace);
      const scope = scopeOf(request, options.namespace, options.mountOf);
      const { priority, promoted, isVital, signal } = request;
      for (let repeat = 0; ; repeat += 1) {
        const answer = await gate.quota.within({ scope, priority, promoted, isVital, signal }, () =>
          once(request, raw),
        );
        if (answer.status !== 412 || repeat === mostRepeats) {
          if (answer.status < 300) health.reached(raw.target);
          return answer;
        }
        await sleepOrAbort(clock, repeatPauseMs * 2 ** repeat * (0.5 + random()), signal);
      }
    },
    async stream(request) {
      let refused: StreamedAnswer | undefined;
      const turn = { lane: 'callers' } as const;
      const scope = scopeOf(callerPath(request), options.namespace, options.mountOf);
      const held = gate.quota.heldForAgent(scope);
      if (held !== undefined) return limitedAnswer(held, addresses.current());
      const leave = gate.quota.enterCaller(scope);
      try {
        return await eachAddress(request.target, async (address) => {
          const answer = await attempt(address, request, turn, (origin, sent) =>
            transport.open(origin, sent),
          );
          gate.quota.callerAnswered(scope, answer);
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
      } finally {
        leave();
      }
    },
    close: () => failback.close(),
  };
}

function plain(target: string, signal: AbortSignal): RawRequest {
  return { method: 'GET', target, headers: {}, body: undefined, signal, isHarmless: true };
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

function lostOnRedirect(address: string, origin: string, failure: UpstreamFailure): UpstreamFailure {
  const message = `the standby ${address} redirects to ${origin}, and there ${failure.message}`;
  return new UpstreamFailure(failure.wasSent ? failure.state : 'standby', message, {
    cause: failure,
    remedy: failure.remedy ?? 'set api_addr of every node to an address that its clients reach',
    wasSent: failure.wasSent,
  });
}

function leaderMoved(origin: string): UpstreamFailure {
  return new UpstreamFailure('unavailable', `${origin} became a standby while the request was sent`, {
    remedy: 'send the request again',
    wasSent: true,
  });
}

/** Nobody reads what a redirect says beside its address. */
function discardRedirect({ status, body }: Answered): void {
  if (isRedirect(status) && !Buffer.isBuffer(body)) body.destroy();
}

function redirectLoop(address: string): UpstreamFailure {
  return new UpstreamFailure('standby', `${address} redirects in a circle`, {
    remedy: 'set api_addr of every node to its own address',
  });
}

function limitedAnswer({ message, answerHeaders }: UpstreamFailure, address: string): StreamedAnswer {
  const headers = { 'content-type': 'application/json', ...answerHeaders };
  const body = Readable.from([Buffer.from(JSON.stringify({ errors: [message] }))]);
  return { status: 429, headers, body, address };
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
