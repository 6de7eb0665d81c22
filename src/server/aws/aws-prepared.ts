// Answers of the AWS dialect kept as bytes, by the URL that they were asked by: made once a version, and again when the
// second changes that their Date tells. Who may have one is decided for each request.
import { WeighedMap } from '../../base/bounded-map.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { ListenerConfig } from '../../config/resolved.ts';
import type { Entry } from '../../store/entry.ts';
import { type SecretVersion, shownVersion } from '../../store/secret-version.ts';
import type { AgentView } from '../agent-view.ts';
import {
  type Delivery,
  isValidAt,
  jsonHeaders,
  longestKeptUrl,
  mostPrepared,
  nextSecond,
  type PreparedAnswer,
  type Validity,
} from '../http/prepared-answer.ts';
import { wireBytes } from '../node-internals/wire-answer.ts';
import { stagedVersions } from './aws-secret.ts';

/** What a URL means, and an answer to it. */
export interface KeptAnswer {
  /** Of the secret, or its id: what the rules speak of. */
  readonly name: string;
  /** Undefined: another version is there by now, or another state. */
  answer(): PreparedAnswer | undefined;
  /** In bytes. */
  readonly weight: number;
}

export interface NamedAnswer {
  readonly name: string;
  readonly field?: string | undefined;
  readonly entry: Entry;
  readonly version: SecretVersion;
  /** Called again each second where `isTimed`: it tells a time. */
  readonly make: () => object;
  readonly isTimed?: boolean;
}

export interface AwsPrepared {
  /** Where listeners differ in their settings, so does what a URL means. */
  find(listener: ListenerConfig, url: string): KeptAnswer | undefined;
  keep(listener: ListenerConfig, url: string, kept: KeptAnswer): void;
  /** For `keep`: of a secret that the store has. */
  named(answer: NamedAnswer): KeptAnswer;
}

interface UrlsOfListener {
  /** Of the names. */
  readonly revision: number;
  readonly urls: WeighedMap<string, KeptAnswer>;
}

/** Of the strings and objects around the bytes. */
const overhead = 512;

export function createAwsPrepared(clock: Clock, { store, names }: AgentView): AwsPrepared {
  const kept = new WeakMap<ListenerConfig, UrlsOfListener>();

  /** One before the current is meant for as long as somebody holds it and none that is newer. */
  function isStaged(entry: Entry, version: SecretVersion): boolean {
    if (version === entry.current) return true;
    return stagedVersions(entry, store.holders(entry.key)).some((staged) => staged.version === version);
  }

  return {
    find(listener, url) {
      const known = kept.get(listener);
      // A reload may have given an alias to another.
      return known?.revision === names.revision ? known.urls.get(url) : undefined;
    },
    keep(listener, url, one) {
      if (url.length > longestKeptUrl) return;
      const { revision } = names;
      let known = kept.get(listener);
      if (known?.revision !== revision) {
        known = { revision, urls: new WeighedMap(mostPrepared.count, mostPrepared.bytes) };
        kept.set(listener, known);
      }
      known.urls.set(url, one);
    },
    named({ name, field, entry, version, make, isTimed }) {
      const { current, expiresAt } = entry;
      const delivery: Delivery = {
        name,
        ...(field === undefined ? {} : { field }),
        entryKey: entry.key,
        number: version.number,
        shownVersion: shownVersion(version),
      };
      let made = awsAnswer(bodyOf(make()), clock.wall(), delivery);
      return {
        ...{ name, weight: made.answer.wire.length + overhead },
        answer() {
          const wall = clock.wall();
          if (names.find(name)?.entry !== entry || entry.current !== current) return undefined;
          if (entry.expiresAt !== expiresAt || !isStaged(entry, version)) return undefined;
          if (!isValidAt(made, wall)) {
            made = awsAnswer(isTimed ? bodyOf(make()) : made.answer.body, wall, delivery);
          }
          return made.answer;
        },
      };
    },
  };
}

function bodyOf(value: object): Buffer {
  return Buffer.from(JSON.stringify(value), 'utf8');
}

export type TimedAnswer = Readonly<Validity> & { readonly answer: PreparedAnswer };

/** Of this moment: it tells the Date. */
export function awsAnswer(body: Buffer, wall: number, delivery?: Delivery): TimedAnswer {
  const headers = jsonHeaders(body.length);
  const wire = wireBytes(headers, body, wall);
  const own = wire.subarray(wire.length - body.length);
  return {
    answer: {
      ...{ etag: '', headers, notModifiedHeaders: [], body: own, wire },
      ...(delivery === undefined ? {} : { delivery }),
    },
    validFrom: wall,
    validUntil: nextSecond(wall),
  };
}
