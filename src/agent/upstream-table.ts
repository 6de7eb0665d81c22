// The upstreams of the config by name: built, started, swapped on reload, closed. Kinds are told apart here and nowhere
// else.
import type { Clock } from '../base/clock.ts';
import { LatchkeyError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { UpstreamConfig } from '../config/resolved.ts';
import type { Upstream, UpstreamListener } from '../upstream/upstream.ts';
import { createVaultUpstream } from '../upstream/vault-upstream.ts';

export interface UpstreamTable {
  /** The table itself changes with `reconcile`; ask again. */
  byName(): ReadonlyMap<string, Upstream>;
  /** Resolves to the error of a login that failed under `exit_on_error`: of any upstream, at any time. */
  readonly failed: Promise<LatchkeyError>;
  /**
   * Upstreams whose settings differ are built anew and started, then, after `onSwapped`, the old ones are closed; the
   * others stay.
   */
  reconcile(configs: readonly UpstreamConfig[], onSwapped: () => void): Promise<void>;
  start(): void;
  /**
   * Revokes the tokens that logins made, and with them what is left of their leases: but not where one of `leases` is to
   * live on.
   */
  close(options: { leases: Iterable<RemainingLease>; signal: AbortSignal }): Promise<void>;
}

export interface UpstreamTableOptions {
  configs: readonly UpstreamConfig[];
  clock: Clock;
  random: () => number;
  logger: Logger;
  env: NodeJS.ProcessEnv;
  /** Hears every upstream, with its name. */
  listenerOf(name: string): UpstreamListener;
}

interface RemainingLease {
  readonly upstream: string;
  readonly onExit: 'revoke' | 'keep';
}

interface Member {
  config: UpstreamConfig;
  upstream: Upstream;
  stopListening(): void;
}

/** How long a replaced upstream may take to end its requests. */
const swapDeadlineMs = 10_000;

export function createUpstreamTable(options: UpstreamTableOptions): UpstreamTable {
  let members = new Map<string, Member>();
  let isStarted = false;
  const failure = Promise.withResolvers<LatchkeyError>();
  const never = new AbortController().signal;

  function build(config: UpstreamConfig): Member {
    checkUpstreams([config]);
    const { clock, random, logger, env } = options;
    const upstream = createVaultUpstream({ config, clock, random, logger, env });
    const stops = [
      upstream.listen(options.listenerOf(config.name)),
      upstream.listen({
        status({ isFatal }) {
          if (isFatal === true) upstream.ready(never).catch(failure.resolve);
        },
      }),
    ];
    return {
      config,
      upstream,
      stopListening() {
        for (const stop of stops) stop();
      },
    };
  }

  for (const config of options.configs) members.set(config.name, build(config));

  return {
    byName: () => new Map([...members].map(([name, { upstream }]) => [name, upstream])),
    failed: failure.promise,
    async reconcile(configs, onSwapped) {
      const next = new Map<string, Member>();
      for (const config of configs) {
        const known = members.get(config.name);
        next.set(config.name, known !== undefined && isSame(known.config, config) ? known : build(config));
      }
      const gone = [...members.values()].filter((member) => next.get(member.config.name) !== member);
      const added = [...next.values()].filter((member) => members.get(member.config.name) !== member);
      members = next;
      if (isStarted) for (const { upstream } of added) upstream.start();
      onSwapped();
      // Their leases are still in use: the token is left to its end, which is told.
      const signal = AbortSignal.timeout(swapDeadlineMs);
      await Promise.all(gone.map(({ upstream }) => upstream.close({ revokeToken: false, signal })));
      for (const member of gone) member.stopListening();
    },
    start() {
      isStarted = true;
      for (const { upstream } of members.values()) upstream.start();
    },
    async close({ leases, signal }) {
      const kept = new Set([...leases].filter(({ onExit }) => onExit === 'keep').map((one) => one.upstream));
      await Promise.all(
        [...members].map(([name, { upstream }]) => upstream.close({ revokeToken: !kept.has(name), signal })),
      );
    },
  };
}

/** Throws `config_invalid` for a kind that this release does not have. */
export function checkUpstreams(configs: readonly UpstreamConfig[]): void {
  for (const { name, kind } of configs) {
    if (kind === 'vault') continue;
    throw new LatchkeyError(
      'config_invalid',
      `upstreams.${name}.kind: this release has no upstream of kind ${kind}`,
      {
        remedy: 'use kind: vault',
      },
    );
  }
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
