// The answers of the own mount as bytes, made once a version; only the id of the request is put in for each, in place where the
// one before has left, and the Date once a second. Who may have one is decided before.
import { randomUUID } from 'node:crypto';
import { apiTime } from '../../api/api-time.ts';
import { WeighedMap } from '../../base/bounded-map.ts';
import { JsonNumber, type JsonObject, stringifyJson } from '../../base/text/json.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { Entry } from '../../store/entry.ts';
import { type SecretVersion, secretFields, shownVersion } from '../../store/secret-version.ts';
import {
  type Delivery,
  isValidAt,
  jsonHeaders,
  mostPrepared,
  nextSecond,
  type PreparedAnswer,
  type StampedWire,
  type Validity,
} from '../http/prepared-answer.ts';
import { wireBytes } from '../node-internals/wire-answer.ts';

/** `data`: with the values; `metadata`: without. */
export type OwnMountPart = 'data' | 'metadata';

export interface OwnMountAnswers {
  of(part: OwnMountPart, name: string, entry: Entry, version: SecretVersion): StampedAnswer;
}

type StampedAnswer = PreparedAnswer & Required<Pick<PreparedAnswer, 'stamped' | 'delivery'>>;

interface Kept extends Validity {
  readonly entry: Entry;
  readonly version: SecretVersion;
  readonly weight: number;
  answer: StampedAnswer;
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
    const shown = shownVersion(version);
    const delivery = { name, entryKey: entry.key, number: version.number, shownVersion: shown };
    return { entry, version, weight: 2 * body.length, ...answerAt(body, delivery, clock.wall()) };
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
        const { body, delivery } = one.answer;
        Object.assign(one, answerAt(body, delivery, wall));
      }
      return one.answer;
    },
  };
}

function answerAt(body: Buffer, delivery: Delivery, wall: number): Pick<Kept, 'answer' | keyof Validity> {
  const headers = jsonHeaders(body.length);
  const wire = wireBytes(headers, body, wall);
  const stamped = stampedWire(wire, wire.length - body.length);
  return {
    answer: { etag: '', headers, notModifiedHeaders: [], body, wire, stamped, delivery },
    validFrom: wall,
    validUntil: nextSecond(wall),
  };
}

/** A copy for each answer would be most of what is thrown away of it. */
function stampedWire(first: Buffer, bodyAt: number): StampedWire {
  let wire = first;
  let isKept = false;

  function next(): Buffer {
    if (isKept) wire = Buffer.from(wire);
    isKept = false;
    wire.write(randomUUID(), bodyAt + idAt, 'latin1');
    return wire;
  }

  return {
    next,
    keepLast() {
      isKept = true;
    },
    body: () => Buffer.from(next().subarray(bodyAt)),
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
