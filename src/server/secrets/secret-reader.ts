// Secrets as answers, prepared once a version: the body as a Buffer, headers and ETag beside it. The age changes once
// a second and then only what holds it is made again. Who may have an answer is decided before, not here.

import { createHmac, randomBytes } from 'node:crypto';
import { apiTime } from '../../api/api-time.ts';
import type { SecretSummary } from '../../api/secrets.ts';
import { WeighedMap } from '../../base/bounded-map.ts';
import { stringifyJson } from '../../base/text/json.ts';
import { nearest } from '../../base/text/nearest.ts';
import type { Clock } from '../../base/time/clock.ts';
import { type Entry, isLastValue } from '../../store/entry.ts';
import { fieldBytes, type SecretVersion, secretFields, shownVersion } from '../../store/secret-version.ts';
import type { AgentView } from '../agent-view.ts';
import { type ApiError, apiError } from '../http/api-error.ts';
import {
  type Delivery,
  isValidAt,
  mostPrepared,
  nextSecond,
  type PreparedAnswer,
  type Validity,
} from '../http/prepared-answer.ts';
import { wireBytes } from '../node-internals/wire-answer.ts';

export interface SecretTarget {
  readonly name: string;
  /** Absent: the whole secret as JSON. */
  readonly field: string | undefined;
}

export interface SecretReader {
  /** The answer for the target, or why there is none. */
  read(target: SecretTarget): PreparedAnswer | ApiError;
  /** Without values. */
  summary(name: string, entry: Entry): SecretSummary;
}

/** What stays while version, state and expiry stay. */
interface Prepared extends Validity {
  readonly entry: Entry;
  readonly version: SecretVersion;
  readonly state: Entry['state'];
  readonly expiresAt: number | undefined;
  readonly etag: string;
  readonly delivery: Delivery;
  /** Of a field the whole body; of the JSON all but what follows `obtained_at`. */
  readonly start: Buffer;
  readonly weight: number;
  /** It tells age and date. */
  answer: PreparedAnswer;
}

export function createSecretReader(options: { view: AgentView; clock: Clock }): SecretReader {
  const { view, clock } = options;
  // ETags are keyed, so that they tell nobody anything about a value, and differ after a restart.
  const etagKey = randomBytes(32);
  const prepared = new WeighedMap<SecretTarget, Prepared>(mostPrepared.count, mostPrepared.bytes);

  function prepare(target: SecretTarget, entry: Entry, version: SecretVersion): Prepared | ApiError {
    const fields = secretFields(version);
    const start =
      target.field === undefined
        ? jsonStart(target.name, stringifyJson(fields), version)
        : fieldBytes(fields, target.field);
    if (start === undefined) {
      return apiError('not_found', `secret ${target.name} ${noField(target.field, Object.keys(fields))}`);
    }
    const digest = createHmac('sha256', etagKey)
      .update(`${entry.key}\n${target.field ?? `${version.number} ${version.dataDigest}`}\n`)
      .update(target.field === undefined ? '' : start)
      .digest('base64url')
      .slice(0, 22);
    // Weak for the JSON: its age counts on while the secret stays the same.
    const etag = target.field === undefined ? `W/"${digest}"` : `"${digest}"`;
    const { state, expiresAt } = entry;
    const delivery = {
      ...target,
      entryKey: entry.key,
      number: version.number,
      shownVersion: shownVersion(version),
    };
    const parts = { entry, version, state, expiresAt, etag, delivery, start };
    const told = answerAt(parts, target, clock.wall());
    return { ...parts, ...told, weight: start.length + told.answer.wire.length };
  }

  return {
    read(target) {
      const entry = view.names.find(target.name)?.entry;
      if (entry === undefined)
        return apiError('not_found', `there is no secret named ${JSON.stringify(target.name)}`);
      // Before the entry is looked at: a clock that was set may move its end.
      const wall = clock.wall();
      const version = entry.current;
      if (version === undefined) return absence(target.name, entry);
      let known = prepared.get(target);
      if (
        known === undefined ||
        known.version !== version ||
        known.entry !== entry ||
        known.state !== entry.state ||
        known.expiresAt !== entry.expiresAt
      ) {
        const made = prepare(target, entry, version);
        if ('code' in made) return made;
        prepared.set(target, made);
        known = made;
      }
      if (!isValidAt(known, wall)) Object.assign(known, answerAt(known, target, wall));
      return known.answer;
    },
    summary(name, entry) {
      const wall = clock.wall();
      const { current, state, expiresAt } = entry;
      return {
        name,
        state,
        version: current === undefined ? null : shownVersion(current),
        obtained_at: apiTime(current?.obtainedAt),
        expires_at: apiTime(expiresAt),
        age_seconds: current === undefined ? null : ageAt(current, wall),
        stale: isLastValue(state),
      };
    },
  };
}

/** Told to those alone who may read all of its fields. */
function noField(field = '', known: readonly string[]): string {
  const near = nearest(field, known);
  return `has no field ${JSON.stringify(field)}${near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`}`;
}

function jsonStart(name: string, data: string, version: SecretVersion): Buffer {
  return Buffer.from(
    `{"name":${JSON.stringify(name)},"data":${data},"version":${shownVersion(version)}` +
      `,"obtained_at":${JSON.stringify(apiTime(version.obtainedAt))}`,
    'utf8',
  );
}

function ageAt(version: SecretVersion, wall: number): number {
  return Math.max(0, Math.floor((wall - version.obtainedAt) / 1000));
}

type Timed = 'answer' | keyof Validity;

function answerAt(
  parts: Omit<Prepared, Timed | 'weight'>,
  target: SecretTarget,
  wall: number,
): Pick<Prepared, Timed> {
  const { etag, state, expiresAt, delivery, start, version } = parts;
  const ageSeconds = ageAt(version, wall);
  const isStale = isLastValue(state);
  const body =
    target.field === undefined ? Buffer.concat([start, jsonEnd(expiresAt, ageSeconds, isStale)]) : start;
  const common = ['ETag', etag, 'Age', String(ageSeconds), 'Cache-Control', 'no-store'];
  common.push('Latchkey-Version', String(delivery.shownVersion));
  if (isStale) common.push('Latchkey-Stale', 'true');
  const type = target.field === undefined ? 'application/json' : 'text/plain; charset=utf-8';
  const headers = ['Content-Type', type, 'Content-Length', String(body.length), ...common];
  const wire = wireBytes(headers, body, wall);
  return {
    answer: {
      ...{ etag, headers, notModifiedHeaders: common, wire, delivery },
      body: wire.subarray(wire.length - body.length),
    },
    validFrom: wall,
    validUntil: Math.min(nextSecond(wall), version.obtainedAt + (ageSeconds + 1) * 1000),
  };
}

function jsonEnd(expiresAt: number | undefined, ageSeconds: number, isStale: boolean): Buffer {
  const ends = JSON.stringify(apiTime(expiresAt));
  return Buffer.from(`,"expires_at":${ends},"age_seconds":${ageSeconds},"stale":${isStale}}\n`, 'utf8');
}

/** Why there is nothing to hand out: never obtained, or not any more. */
function absence(name: string, entry: Entry): ApiError {
  const { error, state } = entry;
  if (error === undefined || state === 'expired') {
    const why = error === undefined ? '' : `: ${error.message}`;
    return state === 'expired'
      ? apiError('expired', `secret ${name} has expired and could not be obtained again${why}`)
      : apiError('pending', `secret ${name} has not been obtained yet`);
  }
  // Upstream refused the agent; to the caller that is no question of their own rights.
  if (error.code === 'denied') return apiError('upstream_denied', `secret ${name}: ${error.message}`);
  return apiError(error.code, `secret ${name}: ${error.message}`);
}
