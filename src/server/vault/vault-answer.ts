// A cached answer of the Vault dialect, prepared once a version or grant: the upstream's body with a lease_duration that
// counts down, and the headers that tell how old it is. Made again once a second, and only for what is asked for.
import type { SecretValue } from '../../base/secret-value.ts';
import type { Clock } from '../../base/time/clock.ts';
import { type Entry, isLastValue } from '../../store/entry.ts';
import type { HeldLease } from '../../store/loan.ts';
import { bodyBytes, type SecretVersion, shownVersion } from '../../store/secret-version.ts';
import {
  type Delivery,
  isValidAt,
  jsonHeaders,
  nextSecond,
  type PreparedAnswer,
  type Validity,
} from '../http/prepared-answer.ts';
import { wireBytes } from '../node-internals/wire-answer.ts';
import { numberSpan, type Span, withNumbers } from './vault-body.ts';

/** One secret's answer; kept beside its entry. */
export interface VaultAnswer {
  /**
   * The answer of this moment. `version` is the entry's current one, or one that was current when it was asked for.
   * Undefined: what upstream gave may not go to a caller.
   */
  at(version: SecretVersion): PreparedAnswer | undefined;
  /** Its headers when the request made an upstream request, or waited for one. */
  missHeaders(answer: PreparedAnswer): string[];
}

interface Prepared extends Readonly<Validity> {
  readonly version: SecretVersion;
  readonly state: Entry['state'];
  readonly expiresAt: number | undefined;
  readonly answer: PreparedAnswer;
}

/** Age counts from when it was obtained, the rest from its end: two seconds' borders, and the Date's. */
function tellsSeconds(wall: number, obtainedAt: number, endsAt: number | undefined): Validity {
  const isEnding = endsAt !== undefined && endsAt > wall;
  return {
    validFrom: wall,
    validUntil: Math.min(
      nextSecond(wall),
      obtainedAt + (ageOf(wall, obtainedAt) + 1) * 1000,
      isEnding ? wall + ((endsAt - wall) % 1000) + 1 : Number.POSITIVE_INFINITY,
    ),
  };
}

function ageOf(wall: number, obtainedAt: number): number {
  return Math.max(0, Math.floor((wall - obtainedAt) / 1000));
}

export function createVaultAnswer(options: {
  entry: Entry;
  path: string;
  clock: Clock;
  isClean(bytes: Buffer): boolean;
}): VaultAnswer {
  const { entry, path, clock, isClean } = options;
  let refused: SecretVersion | undefined;
  let spansOf: { version: SecretVersion; lease: Span | undefined; ttl: Span | undefined } | undefined;
  let prepared: Prepared | undefined;

  function spans(version: SecretVersion) {
    if (spansOf?.version === version) return spansOf;
    const json = bodyBytes(version);
    refused = isClean(json) ? undefined : version;
    const lease = version.lease === undefined ? undefined : numberSpan(json, 'lease_duration');
    const ttl = version.kind === 'rotating' ? numberSpan(json, 'ttl', 'data') : undefined;
    spansOf = { version, lease, ttl };
    return spansOf;
  }

  function bodyAt(version: SecretVersion, wall: number): Buffer {
    const json = bodyBytes(version);
    const { lease, ttl } = spans(version);
    const ends = version === entry.current ? entry.expiresAt : version.expiresAt;
    if (ends === undefined || !Number.isFinite(ends)) return json;
    const number = Math.max(0, Math.floor((ends - wall) / 1000));
    const places = [lease, ttl].flatMap((span) => (span === undefined ? [] : [{ span, number }]));
    return withNumbers(
      json,
      places.sort((a, b) => a.span[0] - b.span[0]),
    );
  }

  function prepare(version: SecretVersion, wall: number): Prepared {
    const { state, expiresAt } = entry;
    const ageSeconds = ageOf(wall, version.obtainedAt);
    const body = bodyAt(version, wall);
    const headers = ['Content-Type', 'application/json', 'Content-Length', String(body.length)];
    headers.push('Cache-Control', 'no-store', 'X-Cache', 'HIT', 'Age', String(ageSeconds));
    if (isLastValue(state)) headers.push('Latchkey-Stale', 'true');
    const delivery: Delivery = {
      name: path,
      entryKey: entry.key,
      number: version.number,
      shownVersion: shownVersion(version),
    };
    const wire = wireBytes(headers, body, wall);
    return {
      version,
      state,
      expiresAt,
      ...tellsSeconds(wall, version.obtainedAt, expiresAt),
      answer: { etag: '', headers, notModifiedHeaders: [], body, wire, delivery },
    };
  }

  return {
    at(version) {
      const wall = clock.wall();
      if (
        prepared === undefined ||
        prepared.version !== version ||
        prepared.state !== entry.state ||
        prepared.expiresAt !== entry.expiresAt ||
        !isValidAt(prepared, wall)
      ) {
        prepared = prepare(version, wall);
      }
      return refused === version ? undefined : prepared.answer;
    },
    missHeaders: ({ headers }) => {
      const from = headers.indexOf('X-Cache');
      return [...headers.slice(0, from), 'X-Cache', 'MISS', ...headers.slice(from + 4)];
    },
  };
}

/** What is kept for a caller, as far as it is told. */
interface HeldBody {
  readonly body: SecretValue;
  /** Where in the body the number stands that counts down. */
  readonly span: Span | undefined;
  readonly obtainedAt: number;
  readonly lease: Pick<HeldLease, 'endsAt'>;
  told: ToldAnswer | undefined;
}

/** What was told last of it. */
export interface ToldAnswer extends Validity {
  readonly endsAt: number;
  readonly answer: PreparedAnswer;
}

/** For a caller what is kept for them. `isHit`: the caller asked for what was there already. */
export function heldAnswer(held: HeldBody, wall: number, isHit: boolean): PreparedAnswer {
  if (!isHit) return answerOf(held.body.bytes(), ['X-Cache', 'MISS'], wall);
  const endsAt = held.lease.endsAt() ?? 0;
  const { told } = held;
  if (told !== undefined && told.endsAt === endsAt && isValidAt(told, wall)) return told.answer;
  const number = Math.max(0, Math.floor((endsAt - wall) / 1000));
  const { obtainedAt, span } = held;
  const body = withNumbers(held.body.bytes(), span === undefined ? [] : [{ span, number }]);
  const answer = answerOf(body, ['X-Cache', 'HIT', 'Age', String(ageOf(wall, obtainedAt))], wall);
  held.told = { ...tellsSeconds(wall, obtainedAt, endsAt), endsAt, answer };
  return answer;
}

function answerOf(body: Buffer, more: readonly string[], wall: number): PreparedAnswer {
  const headers = [...jsonHeaders(body.length), ...more];
  const wire = wireBytes(headers, body, wall);
  return { etag: '', headers, notModifiedHeaders: [], body, wire };
}
