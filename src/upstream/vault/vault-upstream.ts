// Vault and OpenBao as an upstream: puts connection, session, secrets and settings together.

import { isDeepStrictEqual } from 'node:util';
import type { ForwardedAnswer, ForwardedRequest } from '../../base/forwarded.ts';
import type { SecretSource, SourceOptions } from '../secret-source.ts';
import { createSourceLife } from '../source-life.ts';
import type { SourceStateName } from '../source-state.ts';
import { loadAuthMethod } from './auth/load-method.ts';
import { keepMemory, takeMemory } from './auth/login-memory.ts';
import type { VaultUpstreamConfig } from './config/vault-config.ts';
import { createEventSubscription } from './event-subscription.ts';
import { forwardTo } from './forward.ts';
import { createVaultSecrets } from './secrets/vault-secrets.ts';
import { createAuthorised } from './session/authorised.ts';
import { createLeaseOrigins } from './session/lease-origins.ts';
import { handOverLogin } from './session/login-hand-over.ts';
import { createRefusalMemory } from './session/refusal-memory.ts';
import { createSession } from './session/session.ts';
import { createTokenSinks } from './sinks/token-sinks.ts';
import { createVaultConnection } from './vault-connection.ts';
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
  const { config, clock } = options;
  const { auth, namespace } = config;
  const life = createSourceLife(config.name);
  const own = {
    ...options,
    logger: options.logger.child({ upstream: config.name }),
    namespace,
    onChange: () => status.tell(),
  };
  const memory = takeMemory(options.predecessor, config);
  const connection = createVaultConnection({ ...own, mountOf: (path) => secrets.mountOf(path) });
  const { gate, client } = connection;
  const origins = createLeaseOrigins(life.tell.leasesEnd);
  const session = createSession({
    ...own,
    auth,
    client,
    onLogin: gate.loggedIn,
    loadMethod: (onCredentials) =>
      loadAuthMethod(auth, settings.now().tls, {
        ...own,
        memory,
        mount: auth.mount,
        address: config.addresses[0] ?? '',
        onCredentials,
        call: (call) => client.request({ ...call, namespace: auth.namespace, priority: 'interactive' }),
      }),
    refusals: createRefusalMemory(
      JSON.stringify([config.addresses, auth.namespace, auth.mount]),
      options.env,
    ),
    onToken: (token) => settings.sinks().write(token.value, token.grant.accessor),
    onEnding: origins.end,
  });
  const status = createVaultStatus({
    ...own,
    ...connection,
    session,
    budget: () => settings.now().budget,
    isClosed: () => life.signal.aborted,
    sinks: () => settings.sinks().status(),
    tell: life.tell.status,
  });
  const authorised = createAuthorised(client, session);
  const secrets = createVaultSecrets({
    ...own,
    ...connection,
    authorised,
    onLease: origins.add,
    onLeaseGone: origins.remove,
    isOwnToken: (token) => session.recentTokens().some((one) => one.text() === token),
  });
  const rights = createVaultRights({
    authorised,
    mountOf: secrets.findMount,
    authNamespace: auth.namespace,
  });
  const events = createEventSubscription({
    ...own,
    ...connection,
    session,
    onPath: life.tell.changedUpstream,
  });
  const settings = createVaultSettings({
    ...own,
    ...connection,
    session,
    events,
    makeSinks: (sinks) => createTokenSinks({ ...own, sinks, client, namespace: auth.namespace ?? namespace }),
  });

  async function forward(request: ForwardedRequest): Promise<ForwardedAnswer> {
    life.mustGoOn();
    // Not released with the promise: the answer's body ends with the upstream too.
    const signal = AbortSignal.any([request.signal, life.signal]);
    return await forwardTo({ ...request, signal }, { client, session, namespace });
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
    login: handOverLogin({ auth, session, origins, clock }),
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
      namespace: () => namespace,
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
      return connection.serverClock.takeSlept(since);
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
      await connection.close();
      status.tell();
    },
  };
  keepMemory(source, auth, memory);
  return source;
}

/** The login goes on where it is the same and the server is: one address that stays is enough, the others are of its cluster. */
function isSameLogin(next: VaultUpstreamConfig, before: VaultUpstreamConfig): boolean {
  const isSameServer = next.addresses.some((address) => before.addresses.includes(address));
  return isSameServer && isDeepStrictEqual(next.auth, before.auth) && next.namespace === before.namespace;
}
