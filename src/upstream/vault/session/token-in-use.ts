// Which token requests go by: the one of the last login, or of the last run of the agent as long as that lives; and the few
// before it. That one ends, or gives way to another, is told with the moment until which what was issued under it lives.
import type { SecretValue } from '../../../base/secret-value.ts';
import type { Clock } from '../../../base/time/clock.ts';
import type { Grant } from './login.ts';
import { createSessionToken, type SessionToken } from './session-token.ts';

export interface TokenInUse {
  /** Also one whose end has come and nobody has noticed. */
  current(): SessionToken | undefined;
  /** Undefined: there is none, or it has ended. */
  living(): SessionToken | undefined;
  /** Made by a login of the agent, this one's or the last one's, and living: what closing revokes, or hands on. */
  own(): SessionToken | undefined;
  /** Newest first. */
  recent(): readonly SecretValue[];
  /** Of the last run: to be taken, where it lives, in place of a login. */
  resume(token: SessionToken): void;
  /** The one of the last run that is to be tried now. */
  waiting(): SessionToken | undefined;
  /** What waits is used from now on, by what was told of it; undefined: it has ended. Without `told` it is believed. */
  goOn(told: Grant | undefined): SessionToken | undefined;
  /** Whether it is the one of the last run, and was not doubted before. */
  doubt(token: SessionToken): boolean;
  /** Undefined: a login that brought the same one again. */
  adopt(grant: Grant): SessionToken | undefined;
  /** It has ended, and there is none until the next. */
  drop(): void;
  /** Nobody renews it any more. */
  leave(): void;
  /** There is none any more, and nobody is told. */
  forget(): void;
}

interface TokenInUseOptions {
  readonly clock: Clock;
  /** At a wall time. */
  readonly onEnding: (token: SessionToken, at: number) => void;
}

const mostRecent = 4;

export function createTokenInUse({ clock, onEnding }: TokenInUseOptions): TokenInUse {
  let current: SessionToken | undefined;
  let recent: readonly SecretValue[] = [];
  /** As long as it is not known whether it lives; then the one in use that came from there. */
  let ofLastRun: SessionToken | undefined;

  function isAlive(token: SessionToken | undefined): token is SessionToken {
    return token !== undefined && clock.now() < token.life.expiresAt;
  }

  function use(token: SessionToken): SessionToken {
    current = token;
    recent = [token.value, ...recent].slice(0, mostRecent);
    return token;
  }

  function tellEnd(token: SessionToken): void {
    const leftMs = token.life.expiresAt - clock.now();
    if (Number.isFinite(leftMs)) onEnding(token, clock.wall() + leftMs);
  }

  const waiting = (): SessionToken | undefined => (current === undefined ? ofLastRun : undefined);

  return {
    current: () => current,
    living: () => (isAlive(current) ? current : undefined),
    own() {
      const token = current ?? ofLastRun;
      return isAlive(token) && token.grant.isOwn && token.isLent !== true ? token : undefined;
    },
    recent: () => recent,
    resume(token) {
      ofLastRun = token;
    },
    waiting,
    goOn(told) {
      const token = waiting();
      if (token === undefined) return undefined;
      if (told !== undefined) {
        const { life } = createSessionToken(told, clock.now());
        token.life = { ...life, periodMs: Math.max(life.periodMs, token.life.periodMs) };
      }
      if (isAlive(token)) return use(token);
      ofLastRun = undefined;
      onEnding(token, clock.wall());
      return undefined;
    },
    doubt(token) {
      const isOfLastRun = token === ofLastRun && token === current;
      if (isOfLastRun) ofLastRun = undefined;
      return isOfLastRun;
    },
    adopt(grant) {
      const before = current;
      const token = createSessionToken(grant, clock.now());
      if (before?.value.equals(grant.token)) {
        // A file that was written again with the same token: whatever was issued under it stays bound to it.
        before.life = token.life;
        return undefined;
      }
      ofLastRun = undefined;
      use(token);
      if (before !== undefined) tellEnd(before);
      return token;
    },
    drop() {
      const token = current;
      if (token === undefined) return;
      [current, ofLastRun] = [undefined, undefined];
      onEnding(token, clock.wall());
    },
    leave() {
      const token = current ?? ofLastRun;
      if (isAlive(token)) tellEnd(token);
    },
    forget() {
      [current, ofLastRun] = [undefined, undefined];
    },
  };
}
