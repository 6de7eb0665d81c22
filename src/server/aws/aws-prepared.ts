// Answers of the AWS dialect kept as bytes, by the URL that they were asked by: made once a version, and again when the
// second changes that their Date tells. Who may have one is decided for each request.
import { BoundedMap } from '../../base/bounded-map.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { Entry } from '../../store/entry.ts';
import { type SecretVersion, shownVersion } from '../../store/secret-version.ts';
import type { Store } from '../../store/store.ts';
import { jsonHeaders } from '../http/exchange.ts';
import { isValidAt, nextSecond, type PreparedAnswer, type Validity } from '../http/prepared-answer.ts';
import { wireBytes } from '../node-internals/wire-answer.ts';
import { stagedVersions } from './aws-secret.ts';

export interface AwsPrepared {
  /** The name of the secret that this URL means, where an answer to it is kept. */
  nameOf(url: string): string | undefined;
  /** Undefined: the entry has another version by now, or another state. */
  find(url: string, entry: Entry): PreparedAnswer | undefined;
  /** `make` gives the value again each second where `isTimed`: it tells a time. */
  keep(
    url: string,
    name: string,
    field: string | undefined,
    entry: Entry,
    version: SecretVersion,
    make: () => object,
    isTimed: boolean,
  ): void;
}

interface Kept extends Validity {
  readonly name: string;
  readonly field: string | undefined;
  readonly entry: Entry;
  readonly version: SecretVersion;
  /** The one of that time. */
  readonly current: SecretVersion | undefined;
  readonly expiresAt: number | undefined;
  readonly make: () => object;
  readonly isTimed: boolean;
  body: Buffer;
  answer: PreparedAnswer;
}

const mostKept = 4096;
const longestUrl = 1024;

export function createAwsPrepared(clock: Clock, store: Pick<Store, 'holders'>): AwsPrepared {
  const kept = new BoundedMap<string, Kept>(mostKept);

  function refresh(one: Kept, wall: number): void {
    if (one.isTimed) one.body = bodyOf(one.make());
    Object.assign(one, answerAt(one, wall));
  }

  /** One before the current is meant for as long as somebody holds it and none that is newer. */
  function isStaged({ entry, version, current }: Kept): boolean {
    if (version === current) return true;
    return stagedVersions(entry, store.holders(entry.key)).some((staged) => staged.version === version);
  }

  return {
    nameOf: (url) => kept.get(url)?.name,
    find(url, entry) {
      const one = kept.get(url);
      if (one === undefined || one.entry !== entry || one.current !== entry.current) return undefined;
      if (one.expiresAt !== entry.expiresAt || !isStaged(one)) return undefined;
      const wall = clock.wall();
      if (!isValidAt(one, wall)) refresh(one, wall);
      return one.answer;
    },
    keep(url, name, field, entry, version, make, isTimed) {
      if (url.length > longestUrl) return;
      const body = bodyOf(make());
      const { current, expiresAt } = entry;
      const parts = { name, field, entry, version, current, expiresAt, make, isTimed, body };
      kept.set(url, { ...parts, ...answerAt(parts, clock.wall()) });
    },
  };
}

function bodyOf(value: object): Buffer {
  return Buffer.from(JSON.stringify(value), 'utf8');
}

type Timed = 'answer' | keyof Validity;

function answerAt(
  one: Pick<Kept, 'name' | 'field' | 'entry' | 'version' | 'body'>,
  wall: number,
): Pick<Kept, Timed> {
  const { name, field, entry, version, body } = one;
  const headers = jsonHeaders(body.length);
  const wire = wireBytes(headers, body, wall);
  const delivery = {
    name,
    ...(field === undefined ? {} : { field }),
    entryKey: entry.key,
    number: version.number,
    shownVersion: shownVersion(version),
  };
  return {
    answer: { etag: '', headers, notModifiedHeaders: [], body, wire, delivery },
    validFrom: wall,
    validUntil: nextSecond(wall),
  };
}
