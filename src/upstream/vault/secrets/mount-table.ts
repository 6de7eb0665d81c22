// Remembers which mounts there are and which of them are KV version 2, with one question for each mount.

import { LatchkeyError } from '../../../base/errors.ts';
import { isJsonObject, type JsonValue } from '../../../base/text/json.ts';
import { orAborted } from '../../../base/time/aborted.ts';
import type { Clock } from '../../../base/time/clock.ts';
import type { RequestOptions } from '../../../store/secret-reading.ts';
import { answerJson, type VaultAnswer } from '../answer-policy.ts';
import { type Mount, mountOf } from './kv-path-policy.ts';

export interface MountTable {
  /** What is known already. */
  find(path: string): Mount | undefined;
  /** Asks where nothing is known; undefined when the server does not tell (403). */
  resolve(path: string, request: RequestOptions): Promise<Mount | undefined>;
  learn(mount: Mount): void;
  forget(path: string): void;
}

export interface MountTableOptions {
  readonly clock: Clock;
  /** Asks `sys/internal/ui/mounts/<path>`. */
  readonly ask: (path: string, request: RequestOptions) => Promise<VaultAnswer>;
}

/** A refusal is believed this long: policies change. */
const refusalMs = 300_000;

export function createMountTable(options: MountTableOptions): MountTable {
  const { clock, ask } = options;
  const mounts = new Map<string, Mount>();
  const refusedUntil = new Map<string, number>();
  const asking = new Map<string, Promise<unknown>>();
  /** First segments where the server did not tell: there one question does not answer for others. */
  const reticent = new Set<string>();

  function find(path: string): Mount | undefined {
    const padded = `${path}/`;
    let longest: Mount | undefined;
    for (const mount of mounts.values()) {
      if (padded.startsWith(mount.prefix) && mount.prefix.length > (longest?.prefix.length ?? 0))
        longest = mount;
    }
    return longest;
  }

  async function askFor(path: string, request: RequestOptions): Promise<Mount | undefined> {
    const answer = await ask(path, request);
    const data = answer.status < 300 ? answerJson(answer)?.['data'] : undefined;
    if (!isJsonObject(data) || typeof data['path'] !== 'string') {
      refusedUntil.set(path, clock.now() + refusalMs);
      reticent.add(path.split('/', 1)[0] ?? '');
      return undefined;
    }
    const options = data['options'];
    const version = isJsonObject(options) ? text(options['version']) : '1';
    const mount = mountOf(path, { path: data['path'], type: text(data['type']), version });
    mounts.set(mount.prefix, mount);
    return mount;
  }

  return {
    find,
    async resolve(path, request) {
      const start = path.split('/', 1)[0] ?? '';
      for (;;) {
        const known = find(path);
        if (known || (refusedUntil.get(path) ?? 0) > clock.now()) return known;
        const other = asking.get(start);
        if (other === undefined || reticent.has(start)) break;
        // Whoever waits for another's question keeps their own patience.
        await orAborted(
          other,
          request.signal,
          () => new LatchkeyError('aborted', `the request for ${path} was given up`),
        );
      }
      const own = askFor(path, request).finally(() => asking.delete(start));
      asking.set(
        start,
        own.catch(() => {
          // Those who waited for it ask again for themselves.
        }),
      );
      return await own;
    },
    learn: (mount) => mounts.set(mount.prefix, mount),
    forget(path) {
      const known = find(path);
      if (known) mounts.delete(known.prefix);
      refusedUntil.delete(path);
    },
  };
}

function text(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
