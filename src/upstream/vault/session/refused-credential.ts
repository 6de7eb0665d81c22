// A credential that was refused twice will not become right: shown again and again it locks the role for every host, because
// vaults count refused logins (user lockout). So it is no longer shown until there is another one, or a long time is over; a
// file that is only touched, or written again as it was, is none, and a start again counts on.
import { createHash } from 'node:crypto';
import type { Clock } from '../../../base/time/clock.ts';
import type { Credentials } from '../auth/auth-method.ts';
import type { AuthConfig } from '../config/vault-config.ts';
import { LoginError } from './login.ts';
import type { RefusalMemory } from './refusal-memory.ts';

export interface RefusedCredential {
  refused(credentials: Credentials, reason: Error): void;
  accepted(): void;
  /** Why this one is not to be shown now, in place of showing it: the words of the last refusal, where it was of this run. */
  heldBack(credentials: Credentials): Error | undefined;
  /** How long it is not to be shown, less where it was held back since; 0: the usual backoff will do. */
  waitMs(): number;
}

/** What user lockout of Vault and OpenBao counts: the others have no secret that can be guessed. */
const counted: ReadonlySet<AuthConfig['method']> = new Set(['approle', 'userpass', 'ldap']);
const mostShown = 2;
/** By all runs together within `longWaitMs`: the fifth locks where nobody has configured another number. */
const mostByAll = 4;
/** As long as a lockout lasts where nobody has configured another. */
const longWaitMs = 900_000;
/** Whoever has mended the vault's side need not wait so long; three times in the time that a vault counts is no lock. */
const askedWaitMs = 300_000;

interface Refused {
  readonly digest: string;
  readonly reason: Error;
  readonly at: number;
  /** How often in a row. */
  readonly shown: number;
  /** It was to be shown again, and was held back. */
  isAskedFor: boolean;
}

export function createRefusedCredential(
  { method, mount }: Pick<AuthConfig, 'method' | 'mount'>,
  clock: Pick<Clock, 'now' | 'wall'>,
  memory: RefusalMemory,
): RefusedCredential {
  let last: Refused | undefined;
  /** Wall time until when all runs together have shown it often enough. */
  let heldUntil = 0;
  let isRemembered = false;

  function recent(text: string): number[] {
    const all = memory.refusedAt(text);
    isRemembered ||= all.length > 0;
    return all.filter((at) => at <= clock.wall() && clock.wall() - at < longWaitMs);
  }

  function heldForAll(text: string): Error | undefined {
    const times = recent(text).slice(-mostByAll);
    const [first, latest] = [times[0], times.at(-1)];
    if (times.length < mostByAll || first === undefined || latest === undefined) return undefined;
    heldUntil = first + longWaitMs;
    return new LoginError(
      `login at auth/${mount}: this credential was refused ${times.length} times within 15 minutes, last at ${timeOf(latest)}, by this run and those before it`,
      {
        isDenied: true,
        remedy: `put the right one in its place; this one is not shown again before ${timeOf(heldUntil)}, or the vault could lock its role or user`,
      },
    );
  }

  return {
    refused(credentials, reason) {
      const text = textOf(credentials);
      if (text === undefined || !counted.has(method)) return;
      const digest = digestOf(text);
      const shown = digest === last?.digest ? last.shown + 1 : 1;
      last = { digest, reason, at: clock.now(), shown, isAskedFor: false };
      memory.note(text, [...recent(text), clock.wall()].slice(-mostByAll));
      isRemembered = true;
    },
    accepted() {
      last = undefined;
      heldUntil = 0;
      if (isRemembered) memory.forget();
      isRemembered = false;
    },
    heldBack(credentials) {
      const text = textOf(credentials);
      heldUntil = 0;
      if (text === undefined || !counted.has(method)) return undefined;
      const isHeld = last !== undefined && last.shown >= mostShown && clock.now() - last.at < askedWaitMs;
      if (!isHeld || last?.digest !== digestOf(text)) return heldForAll(text);
      last.isAskedFor = true;
      return last.reason;
    },
    waitMs() {
      const ofAll = Math.max(0, heldUntil - clock.wall());
      if (last === undefined || last.shown < mostShown) return ofAll;
      return Math.max(ofAll, last.at + (last.isAskedFor ? askedWaitMs : longWaitMs) - clock.now());
    },
  };
}

function textOf(credentials: Credentials): string | undefined {
  return credentials.kind === 'login' ? JSON.stringify(credentials.body) : undefined;
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}

function timeOf(wallMs: number): string {
  return `${new Date(wallMs).toISOString().slice(11, 19)} UTC`;
}
