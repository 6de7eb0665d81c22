// A configuration of another tool put into the shape of latchkey.yaml, value by value; each remembers where the other tool's
// file says it and what it is called there, so that whatever is found wrong later is told in that file's words.

import type { SecretValue } from '../../base/secret-value.ts';
import type { Environment } from '../../base/surroundings.ts';
import type { Path, Position } from '../problems.ts';
import type { CloudKeys } from '../upstreams/cloud-keys.ts';
import type { Origin, Report } from './hcl/report.ts';
import type { ConfigSource } from './read-source.ts';

export interface Draft {
  /** Sets what is at `path`; maps and lists on the way are made. Nothing happens for undefined. */
  set(path: Path, value: unknown, origin: Origin): void;
  /** Adds an item to the list at `path`; returns the path of the item. */
  add(path: Path, origin: Origin): Path;
  /** How many items a list of the top has. */
  lists(key: string): number;
  /** Makes a list of what is at `path`, if anything is, and of `value`. */
  append(path: Path, value: unknown, origin: Origin | undefined): void;
  /** A token that the other tool's file holds. */
  keepToken(token: SecretValue): void;
  /** Certificates to trust that it holds, in PEM. */
  keepAuthority(pem: string): void;
  /** Keys of a cloud that it holds. */
  keepCloudKeys(keys: CloudKeys): void;
  source(files: readonly string[]): ConfigSource;
}

/** What every part of another tool's configuration needs to be put into a draft. */
export interface DraftContext {
  readonly draft: Draft;
  readonly report: Report;
  readonly env: Environment;
  /** Where relative paths start: the folder that the tool is started in. */
  readonly folder: string;
  /** What stands for the whole configuration, in messages. */
  readonly file: string;
}

/** `file` stands for what has no other origin; relative paths start at `folder`. */
export function createDraft(file: string, folder: string): Draft {
  const root: Record<string, unknown> = {};
  const origins = new Map<string, Origin>();
  let token: SecretValue | undefined;
  let authority: string | undefined;
  let cloudKeys: CloudKeys | undefined;

  function put(path: Path, value: unknown, origin: Origin): void {
    let at: Record<string, unknown> | unknown[] = root;
    for (const [index, step] of path.slice(0, -1).entries()) {
      const next: unknown = Reflect.get(at, step);
      const made = next ?? (typeof path[index + 1] === 'number' ? [] : {});
      if (next === undefined) Reflect.set(at, step, made);
      at = made as Record<string, unknown> | unknown[];
    }
    Reflect.set(at, path.at(-1) ?? '', value);
    origins.set(keyOf(path), origin);
  }

  function valueAt(path: Path): unknown {
    return path.reduce<unknown>(
      (at, step) => (at === undefined ? undefined : Reflect.get(at as object, step)),
      root,
    );
  }

  function originOf(path: Path): Origin | undefined {
    for (let length = path.length; length > 0; length--) {
      const origin = origins.get(keyOf(path.slice(0, length)));
      if (origin !== undefined) return origin;
    }
    return undefined;
  }

  return {
    set(path, value, origin) {
      if (value !== undefined) put(path, value, origin);
    },
    add(path, origin) {
      const list = valueAt(path);
      const item = [...path, Array.isArray(list) ? list.length : 0];
      put(item, {}, origin);
      return item;
    },
    lists(key) {
      const list = root[key];
      return Array.isArray(list) ? list.length : 0;
    },
    append(path, value, origin) {
      const before = valueAt(path);
      const items = before === undefined ? [] : [before].flat();
      const known = originOf(path) ?? origin;
      if (known !== undefined) put(path, [...items, value], origin ?? known);
    },
    keepToken(value) {
      token = value;
    },
    keepAuthority(pem) {
      authority = pem;
    },
    keepCloudKeys(keys) {
      cloudKeys = keys;
    },
    source: (files) => ({
      file,
      files,
      token,
      authority,
      cloudKeys,
      folder,
      value: root,
      locate: (path): Position | undefined => {
        const origin = originOf(path);
        return origin?.position && { ...origin.position, file: origin.file };
      },
      nameOf: (path) => originOf(path)?.name,
      isForeign: true,
    }),
  };
}

function keyOf(path: Path): string {
  return JSON.stringify(path);
}
