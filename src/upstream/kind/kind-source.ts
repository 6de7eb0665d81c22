// A source of any kind but Vault: connecting until it works, states for people, listeners, the budget, and one end for all
// requests. How a secret is asked for is the kind's own (KindClient).

import type { AwsSecretQuery } from '../../base/aws-secret-query.ts';
import { describeError, errorCode, LatchkeyError } from '../../base/errors.ts';
import { orAborted } from '../../base/time/aborted.ts';
import { backoffDelayMs } from '../../base/time/backoff.ts';
import type { UpstreamConfig } from '../../config/upstreams/kinds.ts';
import type { Reference } from '../../store/reference.ts';
import type { LeaseRequests, RequestOptions } from '../../store/secret-reading.ts';
import type { SecretAnswer, SecretVersion } from '../../store/secret-version.ts';
import { UpstreamFailure } from '../gate/failure.ts';
import type { GateStatus } from '../gate/gate.ts';
import type { AwsSide, LoginStatus, SecretSource, SourceOptions, SourceStatus } from '../secret-source.ts';
import { createSourceLife } from '../source-life.ts';
import type { SourceStateName } from '../source-state.ts';
import { guardFiles } from './guard-files.ts';

/** What a kind tells its source, whenever it happens. Synchronous. */
export interface KindHooks {
  /** What is at this path, as references spell it, has changed. */
  changed(path: string): void;
  /** The state of the login, or of what is watched, is another one; with an error it does not work. */
  state(error?: unknown): void;
}

/** One kind's way of asking. Rejections are `LatchkeyError`s that hold nothing of an answer. */
export interface KindClient {
  /** A URL, a path, a command: for people. */
  readonly address: string;
  /** Logs in, opens the key, looks whether it is there; tried again until it works. Absent: there is nothing to do before. */
  connect?(signal: AbortSignal): Promise<void>;
  /** Absent: it wants no login. */
  login?(): LoginStatus;
  read(reference: Reference, request: RequestOptions): Promise<SecretAnswer>;
  isCurrent?(
    reference: Reference,
    version: SecretVersion,
    request: RequestOptions,
  ): Promise<boolean | undefined>;
  /** Absent: equal paths alone are the same secret. */
  canonicalPath?(reference: Reference): string;
  readonly leases?: LeaseRequests;
  readonly aws?: AwsSide;
  /** What is under way and what waits; absent: asking costs nobody anything. */
  budget?(): GateStatus;
  /** Begins to watch for changes, after it was connected. */
  watch?(): void;
  /** Ends what was begun; requests under way have been aborted. */
  close(): Promise<void>;
}

const connectBackoff = { minMs: 1000, maxMs: 60_000 };

export function createKindSource<C extends UpstreamConfig>(
  options: SourceOptions<C>,
  createClient: (hooks: KindHooks) => KindClient,
): SecretSource {
  const { config, clock, random } = options;
  const logger = options.logger.child({ upstream: config.name });
  const life = createSourceLife(config.name);
  const connected = Promise.withResolvers<void>();
  // Nobody may be waiting when it closes.
  connected.promise.catch(() => undefined);
  let pause = new AbortController();
  let problem: unknown;
  let state: SourceStateName = 'starting';
  let since = clock.wall();
  let limitedUntil: { at: number; failure: unknown } | undefined;
  const mustBeOurs = guardFiles(options);
  const client = createClient({
    changed: life.tell.changedUpstream,
    state: noteState,
  });

  function status(): SourceStatus {
    const login = client.login?.();
    const budget = client.budget?.();
    return {
      name: config.name,
      kind: config.kind,
      state,
      since,
      address: client.address,
      ...(problem === undefined ? {} : { message: describeError(problem) }),
      ...(login === undefined ? {} : { login }),
      ...(budget === undefined ? {} : { budget }),
    };
  }

  function noteState(error?: unknown): void {
    if (life.signal.aborted) return;
    const next = error === undefined ? 'ready' : stateOf(error);
    if (next === state) return;
    if (error !== undefined) logger.warn({ event: 'upstream.away', state: next }, describeError(error));
    else if (problem !== undefined) logger.info({ state: next, before: state }, 'the upstream serves again');
    setState(next, error);
  }

  function setState(next: SourceStateName, error: unknown): void {
    state = next;
    problem = error;
    since = clock.wall();
    life.tell.status(status());
  }

  async function connect(): Promise<void> {
    if (client.connect !== undefined) setState('logging_in', undefined);
    for (let attempt = 1; !life.signal.aborted; attempt += 1) {
      try {
        await mustBeOurs();
        await client.connect?.(life.signal);
        noteState();
        connected.resolve();
        client.watch?.();
        return;
      } catch (error) {
        noteState(error);
        const waitMs = backoffDelayMs(attempt, connectBackoff, random);
        pause = new AbortController();
        // Closed, the loop ends; asked for, it goes on.
        await clock.sleep(waitMs, AbortSignal.any([life.signal, pause.signal])).catch(() => undefined);
      }
    }
  }

  /** What a request tells of the whole. */
  function noteOutcome(error?: unknown): void {
    if (error === undefined) {
      noteState();
      return;
    }
    if (errorCode(error) === 'upstream_rate_limited') {
      const waitMs = (error instanceof UpstreamFailure ? error.retryAfterMs : undefined) ?? 1000;
      limitedUntil = { at: clock.now() + waitMs, failure: error };
    }
    if (isAboutAll(error)) noteState(error);
  }

  function ask<T>(request: RequestOptions, send: (request: RequestOptions) => Promise<T>): Promise<T> {
    return life.during(request, async (sent) => {
      if (limitedUntil !== undefined && clock.now() < limitedUntil.at) throw limitedUntil.failure;
      try {
        await mustBeOurs();
        const answer = await send(sent);
        noteOutcome();
        return answer;
      } catch (error) {
        if (sent.signal.aborted)
          throw new LatchkeyError('aborted', `the request to ${config.name} was given up`);
        noteOutcome(error);
        throw error;
      }
    });
  }

  const { isCurrent, leases, aws } = client;
  return {
    name: config.name,
    kind: config.kind,
    start: () => void connect(),
    status,
    tryAgain: () => pause.abort(),
    listen: life.listen,
    ready: (signal) => orAborted(connected.promise, signal),
    async read(reference, request) {
      if (reference.operation !== 'read') {
        throw new LatchkeyError(
          'request_invalid',
          `an upstream of kind ${config.kind} is only read, got a ${reference.operation}`,
        );
      }
      return await ask(request, (sent) => client.read(reference, sent));
    },
    ...(isCurrent === undefined
      ? {}
      : {
          isCurrent: (reference: Reference, version: SecretVersion, request: RequestOptions) =>
            ask(request, (sent) => isCurrent(reference, version, sent)),
        }),
    ...(leases === undefined ? {} : { leases: guardLeases(leases, mustBeOurs) }),
    ...(aws === undefined
      ? {}
      : {
          aws: {
            secretValue: (query: AwsSecretQuery, request: RequestOptions) =>
              ask(request, (sent) => aws.secretValue(query, sent)),
          },
        }),
    canonicalKey: (reference) => keyOf(reference, canonicalPath(client, reference)),
    async retire() {
      life.fallSilent();
    },
    async close() {
      if (life.signal.aborted) return;
      life.end();
      connected.reject(life.closed());
      await client.close();
      setState('closed', undefined);
    },
  };
}

function guardLeases(leases: LeaseRequests, mustBeOurs: () => Promise<void>): LeaseRequests {
  return {
    ...leases,
    async renew(leaseId, incrementSeconds, request) {
      await mustBeOurs();
      return await leases.renew(leaseId, incrementSeconds, request);
    },
    async revoke(leaseId, request) {
      await mustBeOurs();
      await leases.revoke(leaseId, request);
    },
  };
}

/** What is no path of this kind is no other secret's either: the read says what is wrong with it. */
function canonicalPath(client: KindClient, reference: Reference): string {
  try {
    return client.canonicalPath?.(reference) ?? reference.path;
  } catch {
    return reference.path;
  }
}

function keyOf({ upstream, parameters }: Reference, path: string): string {
  const pairs = Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${upstream}:${path}?${new URLSearchParams(pairs).toString()}`;
}

/** Of one secret alone are what is not there, what is denied, and what was asked wrongly. */
function isAboutAll(error: unknown): boolean {
  const code = errorCode(error);
  return (
    code !== 'not_found' &&
    code !== 'denied' &&
    code !== 'request_invalid' &&
    code !== 'aborted' &&
    !isOneAnswer(error)
  );
}

function isOneAnswer(error: unknown): boolean {
  return error instanceof UpstreamFailure && error.state === 'answer_invalid';
}

function stateOf(error: unknown): SourceStateName {
  if (error instanceof UpstreamFailure) return error.state;
  const code = errorCode(error);
  return code === 'login_failed' || code === 'token_invalid' ? 'login_failed' : 'unavailable';
}
