// The answers of the own mount as bytes, made once a version; only the id of the request is put in for each, and the Date once
// a second. Who may have one is decided before.
import { randomUUID } from 'node:crypto';
import { apiTime } from '../../api/api-time.ts';
import { WeighedMap } from '../../base/bounded-map.ts';
import { JsonNumber, type JsonObject, stringifyJson } from '../../base/text/json.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { Entry } from '../../store/entry.ts';
import { type SecretVersion, secretFields, shownVersion } from '../../store/secret-version.ts';
import { jsonHeaders } from '../http/exchange.ts';
import {
  type Delivery,
  isValidAt,
  mostPrepared,
  nextSecond,
  type PreparedAnswer,
  type Validity,
} from '../http/prepared-answer.ts';
import { wireBytes } from '../node-internals/wire-answer.ts';

/** `data`: with the values; `metadata`: without. */
export type OwnMountPart = 'data' | 'metadata';

export interface OwnMountAnswers {
  of(part: OwnMountPart, name: string, entry: Entry, version: SecretVersion): PreparedAnswer;
}

interface Kept extends Validity {
  readonly entry: Entry;
  readonly version: SecretVersion;
  readonly delivery: Delivery;
  readonly headers: readonly string[];
  readonly body: Buffer;
  readonly weight: number;
  wire: Buffer;
}

const idAt = '{"request_id":"'.length;

export function createOwnMountAnswers(clock: Clock): OwnMountAnswers {
  const kept = {
    data: new WeighedMap<string, Kept>(mostPrepared.count, mostPrepared.bytes),
    metadata: new WeighedMap<string, Kept>(mostPrepared.count, mostPrepared.bytes),
  };

  function make(part: OwnMountPart, name: string, entry: Entry, version: SecretVersion): Kept {
    const value = part === 'data' ? dataOf(version) : metadataOf(version);
    const body = Buffer.from(`${stringifyJson(ownAnswer(value))}\n`, 'utf8');
    const { number } = version;
    const delivery = { name, field: undefined, entryKey: entry.key, number };
    return {
      ...{ entry, version, body, headers: jsonHeaders(body.length), weight: 2 * body.length },
      delivery: { ...delivery, shownVersion: shownVersion(version) },
      ...{ wire: body, validFrom: Number.POSITIVE_INFINITY, validUntil: 0 },
    };
  }

  return {
    of(part, name, entry, version) {
      let one = kept[part].get(name);
      if (one === undefined || one.entry !== entry || one.version !== version) {
        one = make(part, name, entry, version);
        kept[part].set(name, one);
      }
      const wall = clock.wall();
      if (!isValidAt(one, wall)) {
        one.wire = wireBytes(one.headers, one.body, wall);
        one.validFrom = wall;
        one.validUntil = nextSecond(wall);
      }
      // A copy: the one before may still be on its way.
      const wire = Buffer.from(one.wire);
      const start = wire.length - one.body.length;
      wire.write(randomUUID(), start + idAt, 'latin1');
      const { headers, delivery } = one;
      return { etag: '', headers, notModifiedHeaders: [], body: wire.subarray(start), wire, delivery };
    },
  };
}

/** As a server of Vault's API words an answer; its id comes first. */
export function ownAnswer(data: JsonObject): JsonObject {
  return {
    request_id: randomUUID(),
    lease_id: '',
    renewable: false,
    lease_duration: new JsonNumber('0'),
    data,
    wrap_info: null,
    warnings: null,
    auth: null,
  };
}

function dataOf(version: SecretVersion): JsonObject {
  return {
    data: secretFields(version),
    metadata: {
      created_time: apiTime(version.obtainedAt),
      custom_metadata: null,
      deletion_time: '',
      destroyed: false,
      version: new JsonNumber(String(shownVersion(version))),
    },
  };
}

function metadataOf(version: SecretVersion): JsonObject {
  const time = apiTime(version.obtainedAt);
  const number = new JsonNumber(String(shownVersion(version)));
  return {
    created_time: time,
    updated_time: time,
    current_version: number,
    oldest_version: number,
    custom_metadata: null,
    versions: { [number.text]: { created_time: time, deletion_time: '', destroyed: false } },
  };
}
