// The upstreams of the config by name: built, started, swapped on reload, closed. Their kinds are loaded before.
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { LatchkeyError } from '../base/errors.ts';
import type { Prepared } from '../base/prepared.ts';
import type { Surroundings } from '../base/surroundings.ts';
import type { UpstreamConfig } from '../config/upstreams/kinds.ts';
import type { GateObserver } from '../upstream/gate/gate.ts';
import { createSource } from '../upstream/kinds.ts';
import type { SecretSource, SourceListener } from '../upstream/secret-source.ts';

export interface UpstreamTable {
  /** The table itself changes with `reconcile`; ask again. */
  byName(): ReadonlyMap<string, SecretSource>;
  /** Resolves to the error of a login that failed under `exit_on_error`: of any upstream, at any time. */
  readonly failed: Promise<LatchkeyError>;
  /**
   * Upstreams whose session would be another one are built again and started, and `onSwapped` is called; the old ones are
   * closed once `isUsed` says that nothing of them is used. The others stay, with their new limits.
   */
  prepare(configs: readonly UpstreamConfig[], onSwapped: () => void): Prepared;
  /** Each once; `names`: those alone, the others when they are named. */
  start(names?: Iterable<string>): void;
  /** Another where what the upstream of this name gave may mean nothing any more: another server, login or namespace. */
  originOf(name: string): string;
  /**
   * Revokes the tokens that logins made, and with them what is left of their leases: but not where one of `leases` is to
   * live on, nor of an upstream in `logins`, whose login the next run goes on with.
   */
  close(options: {
    leases: Iterable<RemainingLease>;
    logins?: Iterable<string>;
    signal: AbortSignal;
  }): Promise<void>;
}

export interface UpstreamTableOptions {
  configs: readonly UpstreamConfig[];
  surroundings: Surroundings;
  /** Hears every upstream, with its name. */
  listenerOf(name: string): SourceListener;
  /** Counts what an upstream is asked; absent: nobody does. */
  observerOf?(name: string): GateObserver;
  /** Whether what was issued by an upstream that has left the table still lives. */
  isUsed(upstream: SecretSource): boolean;
  /** Resolves as soon as it is not; rejects `aborted`. */
  untilUnused(upstream: SecretSource, signal: AbortSignal): Promise<void>;
}

interface RemainingLease {
  readonly upstream: string;
  readonly onExit: 'revoke' | 'keep';
}

interface Member {
  config: UpstreamConfig;
  upstream: SecretSource;
  isStarted: boolean;
  /** Of its leases it goes on to tell. */
  stopListening(): void;
}

/** Of any kind: what bounds the asking or is the way to the server, and changes nothing of what is got. */
const limitKeys: ReadonlySet<string> = new Set([
  ...['budget', 'events', 'limits', 'priceOfTenThousand', 'timeoutMs', 'maxBodyBytes', 'sinks', 'proxy'],
]);
/** How long a replaced upstream may take to revoke its token. */
const closeDeadlineMs = 10_000;

export function createUpstreamTable(options: UpstreamTableOptions): UpstreamTable {
  let members = new Map<string, Member>();
  const retired = new Set<SecretSource>();
  const { logger } = options.surroundings;
  const lifetime = new AbortController();
  let isStarted = false;
  const failure = Promise.withResolvers<LatchkeyError>();
  const never = new AbortController().signal;

  function build(config: UpstreamConfig, predecessor?: SecretSource): Member {
    const upstream = createSource({
      ...options.surroundings,
      config,
      observer: options.observerOf?.(config.name),
      predecessor,
    });
    const { leasesEnd, ...others } = options.listenerOf(config.name);
    if (leasesEnd !== undefined) upstream.listen({ leasesEnd });
    const stops = [
      upstream.listen(others),
      upstream.listen({
        status({ isFatal }) {
          if (isFatal === true) upstream.ready(never).catch(failure.resolve);
        },
      }),
    ];
    return {
      config,
      upstream,
      isStarted: false,
      stopListening() {
        for (const stop of stops) stop();
      },
    };
  }

  /** Until its last lease has ended or was revoked; one that nothing replaces takes its token along. */
  async function retire({ upstream, stopListening }: Member, isRemoved: boolean): Promise<void> {
    retired.add(upstream);
    stopListening();
    await upstream.retire();
    const { name } = upstream;
    if (options.isUsed(upstream)) {
      logger.info({ upstream: name }, 'the upstream as it was stays until its leases are gone');
    }
    try {
      await options.untilUnused(upstream, lifetime.signal);
    } catch {
      // The table is closed, and closes it.
      return;
    }
    await upstream.close({ revokeToken: isRemoved, signal: AbortSignal.timeout(closeDeadlineMs) });
    retired.delete(upstream);
    logger.info({ upstream: name }, 'the upstream as it was is closed');
  }

  /** One of another name (it is renamed, or one is added beside it): what its login has used up serves both. */
  function withSameAuth(config: UpstreamConfig): Member | undefined {
    if (!('auth' in config)) return undefined;
    return members
      .values()
      .find(
        ({ config: one }) =>
          one.kind === config.kind && 'auth' in one && isDeepStrictEqual(one.auth, config.auth),
      );
  }

  function startOnce(member: Member | undefined): void {
    if (member === undefined || member.isStarted) return;
    member.isStarted = true;
    member.upstream.start();
  }

  for (const config of options.configs) members.set(config.name, build(config));

  return {
    byName: () => new Map([...members].map(([name, { upstream }]) => [name, upstream])),
    failed: failure.promise,
    prepare(configs, onSwapped) {
      const next = new Map<string, Member>();
      const updates: (() => void)[] = [];
      const built: Member[] = [];
      for (const config of configs) {
        const known = members.get(config.name);
        const isSame = known !== undefined && isDeepStrictEqual(known.config, config);
        const update = isSame ? () => {} : known?.upstream.prepareUpdate?.(config);
        if (known !== undefined && update !== undefined) {
          next.set(config.name, known);
          updates.push(update, () => Object.assign(known, { config }));
        } else {
          const member = build(config, (known ?? withSameAuth(config))?.upstream);
          built.push(member);
          next.set(config.name, member);
        }
      }
      return {
        commit() {
          for (const update of updates) update();
          const gone = [...members.values()].filter((member) => next.get(member.config.name) !== member);
          members = next;
          if (isStarted) built.forEach(startOnce);
          onSwapped();
          for (const member of gone) void retire(member, !next.has(member.config.name));
        },
        async abandon() {
          const signal = AbortSignal.timeout(closeDeadlineMs);
          for (const member of built) {
            member.stopListening();
            await member.upstream.close({ revokeToken: false, signal });
          }
        },
      };
    },
    start(names) {
      isStarted = true;
      for (const name of names ?? members.keys()) startOnce(members.get(name));
    },
    originOf(name) {
      const config = Object.entries(members.get(name)?.config ?? {}).filter(([key]) => !limitKeys.has(key));
      return createHash('sha256').update(JSON.stringify(config)).digest('base64');
    },
    async close({ leases, logins = [], signal }) {
      lifetime.abort();
      const lent = [...leases].filter(({ onExit }) => onExit === 'keep').map((one) => one.upstream);
      const kept = new Set([...lent, ...logins]);
      const all = [...retired, ...[...members.values()].map(({ upstream }) => upstream)];
      await Promise.all(
        all.map((upstream) => upstream.close({ revokeToken: !kept.has(upstream.name), signal })),
      );
    },
  };
}
