// Vault and OpenBao as an upstream: puts client, session, secrets and budget together, and tells how it is doing.

import { isDeepStrictEqual } from 'node:util';
import type { ForwardedAnswer, ForwardedRequest } from '../../base/forwarded.ts';
import { createGate } from '../gate/gate.ts';
import { createServerClock } from '../http/server-clock.ts';
import { createTransport } from '../http/transport.ts';
import type { SecretSource, SourceOptions } from '../secret-source.ts';
import { createSourceLife } from '../source-life.ts';
import type { SourceStateName } from '../source-state.ts';
import { loadAuthMethod } from './auth/load-method.ts';
import { keepMemory, takeMemory } from './auth/login-memory.ts';
import type { SinkConfig, VaultUpstreamConfig } from './config/vault-config.ts';
import { createEventSubscription } from './event-subscription.ts';
import { forwardTo } from './forward.ts';
import { createVaultSecrets } from './secrets/vault-secrets.ts';
import { createAuthorised } from './session/authorised.ts';
import { createLeaseOrigins } from './session/lease-origins.ts';
import { isUsedUp, readLogin, writeLogin } from './session/login-hand-over.ts';
import { createRefusalMemory } from './session/refusal-memory.ts';
import { createSession } from './session/session.ts';
import { createTokenSinks } from './sinks/token-sinks.ts';
import { createVaultClient } from './vault-client.ts';
import { createVaultRights } from './vault-rights.ts';
import { createVaultSettings } from './vault-settings.ts';
import { createVaultStatus, type VaultStatus } from './vault-status.ts';

const loginFailures: ReadonlySet<SourceStateName> = new Set(['login_failed', 'denied']);

/** Of the parts that some kinds lack a Vault has all. */
type VaultSource = Omit<SecretSource, 'status'> &
  Required<Pick<SecretSource, 'isCurrent' | 'leases' | 'vault' | 'prepareUpdate'>> & {
    status(): VaultStatus;
  };

/** Nothing is connected before `start`. Whoever creates it closes it. */
export function createVaultUpstream(options: SourceOptions<VaultUpstreamConfig>): VaultSource {
  const { config, clock, random, env, faultOf } = options;
  const logger = options.logger.child({ upstream: config.name });
  const memory = takeMemory(options.predecessor, config);
  const life = createSourceLife(config.name);
  const transport = createTransport({
    tls: config.tls,
    proxy: config.proxy,
    timeoutMs: config.timeoutMs,
    maxBodyBytes: config.maxBodyBytes,
    ...{ clock, faultOf },
  });
  const serverClock = createServerClock({ clock, logger });
  const gate = createGate({
    limits: config.budget,
    allowed: config,
    clock,
    random,
    logger,
    observer: options.observer,
    probe: (signal) => client.probe(signal),
    onChange: () => status.tell(),
  });
  const client = createVaultClient({
    transport,
    addresses: config.addresses,
    namespace: config.namespace,
    gate,
    serverClock,
    mountOf: (path) => secrets.mountOf(path),
    clock,
    random,
    logger,
    onChange: () => status.tell(),
  });
  const origins = createLeaseOrigins(life.tell.leasesEnd);
  const session = createSession({
    auth: config.auth,
    client,
    onLogin: gate.loggedIn,
    canRepeat: !isUsedUp(config.auth),
    clock,
    random,
    logger,
    loadMethod: (onCredentials) =>
      loadAuthMethod(config.auth, settings.now().tls, {
        ...{ memory, clock, logger, env, faultOf },
        mount: config.auth.mount,
        address: config.addresses[0] ?? '',
        onCredentials,
        call: (call) =>
          client.request({ ...call, namespace: config.auth.namespace, priority: 'interactive' }),
      }),
    refusals: createRefusalMemory(
      JSON.stringify([config.addresses, config.auth.namespace, config.auth.mount]),
      env,
    ),
    onChange: () => status.tell(),
    onToken: (token) => settings.sinks().write(token.value, token.grant.accessor),
    onEnding: origins.end,
  });
  const status = createVaultStatus({
    config,
    budget: () => settings.now().budget,
    isClosed: () => life.signal.aborted,
    sinks: () => settings.sinks().status(),
    gate,
    client,
    session,
    serverClock,
    clock,
    tell: life.tell.status,
  });
  const authorised = createAuthorised(client, session);
  const secrets = createVaultSecrets({
    authorised,
    clock,
    serverClock,
    onLease: origins.add,
    onLeaseGone: origins.remove,
    isOwnToken: (token) => session.recentTokens().some((own) => own.text() === token),
  });
  const rights = createVaultRights({
    authorised,
    mountOf: secrets.findMount,
    authNamespace: config.auth.namespace,
  });
  const events = createEventSubscription({
    client,
    gate,
    transport,
    session,
    namespace: config.namespace,
    clock,
    random,
    logger,
    onPath: life.tell.changedUpstream,
  });
  const makeSinks = (sinks: readonly SinkConfig[]) =>
    createTokenSinks({
      sinks,
      client,
      namespace: config.auth.namespace ?? config.namespace,
      clock,
      random,
      logger,
      onChange: () => status.tell(),
    });
  const settings = createVaultSettings({
    ...{ config, logger, transport, gate, client, session, events, makeSinks },
  });

  async function forward(request: ForwardedRequest): Promise<ForwardedAnswer> {
    life.mustGoOn();
    // Not released with the promise: the answer's body ends with the upstream too.
    const signal = AbortSignal.any([request.signal, life.signal]);
    return await forwardTo({ ...request, signal }, { client, session, namespace: config.namespace });
  }

  const source: VaultSource = {
    name: config.name,
    kind: config.kind,
    start() {
      session.start();
      settings.start();
    },
    status: status.now,
    tryAgain: session.tryAgain,
    listen: life.listen,
    ready: session.ready,
    read: (reference, request, known) => life.during(request, (sent) => secrets.read(reference, sent, known)),
    canTell: secrets.canTell,
    isCurrent: (reference, version, request) =>
      life.during(request, (sent) => secrets.isCurrent(reference, version, sent)),
    login: {
      handOn() {
        const token = session.ownToken();
        return token && writeLogin(token, clock);
      },
      isSpent: () => isUsedUp(config.auth) && session.state() === 'ready',
      resume(login, leaseIds) {
        const token = readLogin(login, clock);
        session.resume(token);
        for (const leaseId of leaseIds) origins.add(leaseId, token);
      },
    },
    leases: {
      renew: (leaseId, increment, request) =>
        life.during(request, (sent) => secrets.leases.renew(leaseId, increment, sent)),
      revoke: (leaseId, request) => life.during(request, (sent) => secrets.leases.revoke(leaseId, sent)),
      issuerEndsAt(leaseId) {
        const expiresAt = origins.tokenOf(leaseId)?.life.expiresAt;
        return expiresAt === undefined ? undefined : clock.wall() + (expiresAt - clock.now());
      },
    },
    revocation: {
      whyLasting: secrets.revocation.whyLasting,
      revoke: (reference, answer, request) =>
        life.during(request, (sent) => secrets.revocation.revoke(reference, answer, sent)),
    },
    howToReplace: secrets.howToReplace,
    vault: {
      namespace: () => config.namespace,
      accessor: () => session.status().login.accessor,
      handedOn: () => settings.sinks().written(),
      ownTokens: () => session.recentTokens(),
      rights: (references, request) => life.during(request, (sent) => rights(references, sent)),
      forward,
    },
    canonicalKey: secrets.canonicalKey,
    isAway: () => gate.health.isAway() || loginFailures.has(session.state()),
    async passedMs({ signal }) {
      const since = clock.now();
      await client.probe(signal);
      return serverClock.takeSlept(since);
    },
    prepareUpdate(next) {
      return next.kind === 'vault' && isSameLogin(next, settings.now())
        ? () => settings.update(next)
        : undefined;
    },
    async retire() {
      session.retire();
      await events.turn(false);
      await settings.sinks().close();
    },
    async close({ revokeToken, signal }) {
      if (life.signal.aborted) return;
      life.end();
      await events.turn(false);
      await settings.sinks().close();
      // The programs that read it from a sink go on with it.
      await session.close({ revokeToken: revokeToken && settings.now().sinks.length === 0, signal });
      settings.close();
      client.close();
      gate.close();
      await transport.close();
      status.tell();
    },
  };
  keepMemory(source, config.auth, memory);
  return source;
}

/** The login goes on where it is the same and the server is: one address that stays is enough, the others are of its cluster. */
function isSameLogin(next: VaultUpstreamConfig, before: VaultUpstreamConfig): boolean {
  const isSameServer = next.addresses.some((address) => before.addresses.includes(address));
  return isSameServer && isDeepStrictEqual(next.auth, before.auth) && next.namespace === before.namespace;
}
