// How long a token or a lease lives: what was asked, what the role says, what the mount allows. Pure; the rules are
// those of Vault's documentation on leases, token time-to-live and periodic tokens.
import { formatDuration } from '../../../../src/base/time/duration.ts';

export interface TtlQuestion {
  /** What the caller asks for; 0 asks for nothing. */
  incrementSeconds?: number;
  /** What the role or the engine gives; 0 leaves it to the mount. */
  ttlSeconds?: number;
  periodSeconds?: number;
  /** The role's cap; 0 leaves it to the mount. */
  maxTtlSeconds?: number;
  explicitMaxTtlSeconds?: number;
  mountDefaultSeconds: number;
  mountMaxSeconds: number;
  /** When the token or lease was made; absent for a new one. */
  issuedAtMs?: number;
}

export interface TtlAnswer {
  seconds: number;
  warnings: string[];
}

/** Undefined when the maximum life is over: nothing more can be had. */
export function decideTtl(question: TtlQuestion, nowMs: number): TtlAnswer | undefined {
  const {
    incrementSeconds = 0,
    ttlSeconds = 0,
    periodSeconds = 0,
    maxTtlSeconds = 0,
    explicitMaxTtlSeconds = 0,
  } = question;
  const warnings: string[] = [];
  const now = Math.floor(nowMs / 1000);
  const start = Math.floor((question.issuedAtMs ?? nowMs) / 1000);
  const max = smallest(question.mountMaxSeconds, maxTtlSeconds, explicitMaxTtlSeconds);
  let seconds = incrementSeconds || ttlSeconds || question.mountDefaultSeconds;
  let end: number | undefined = start + max;
  if (periodSeconds > 0) {
    seconds = Math.min(periodSeconds, max);
    if (seconds < periodSeconds) {
      warnings.push(
        `period of "${human(periodSeconds)}" exceeded the effective max_ttl of "${human(max)}"; period value is capped accordingly`,
      );
    }
    end = explicitMaxTtlSeconds > 0 ? start + explicitMaxTtlSeconds : undefined;
  }
  if (end === undefined) return { seconds, warnings };
  const remaining = end - now;
  if (remaining <= 0) return undefined;
  if (seconds > remaining) {
    warnings.push(
      `TTL of "${human(seconds)}" exceeded the effective max_ttl of "${human(remaining)}"; TTL value is capped accordingly`,
    );
    seconds = remaining;
  }
  return { seconds, warnings };
}

function smallest(first: number, ...others: number[]): number {
  return others.reduce((least, value) => (value > 0 && value < least ? value : least), first);
}

function human(seconds: number): string {
  return formatDuration(seconds * 1000);
}
