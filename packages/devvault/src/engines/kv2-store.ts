// The data of one KV 2 mount: keys with versions and metadata. Answers and errors of the API are kv2.ts.

import type { JsonObject } from '../../../../src/base/text/json.ts';
import type { Clock } from '../../../../src/base/time/clock.ts';
import { badRequest } from '../vault-error.ts';

export interface KvVersion {
  data: JsonObject | undefined;
  readonly createdMs: number;
  deletedMs: number | undefined;
  isDestroyed: boolean;
}

interface KvSettings {
  maxVersions: number;
  isCasRequired: boolean;
  /** 0 is never; negative switches the mount's own setting off. */
  deleteVersionAfterSeconds: number;
}

export interface KvKey extends KvSettings {
  readonly versions: Map<number, KvVersion>;
  currentVersion: number;
  oldestVersion: number;
  readonly createdMs: number;
  updatedMs: number;
  customMetadata: Record<string, string> | null;
}

export interface KvStore {
  readonly keys: Map<string, KvKey>;
  readonly settings: KvSettings;
  /** Makes the key's metadata when there is none. */
  ensure(path: string): KvKey;
  /** Refuses when `cas` does not fit; undefined is a write without check-and-set. */
  checkCas(path: string, cas: number | undefined): void;
  write(path: string, data: JsonObject): KvVersion;
  isGone(version: KvVersion): boolean;
  /** When a version made now would be deleted by itself. */
  deletionMs(key: KvKey): number | undefined;
}

const defaultMaxVersions = 10;

export function createKvStore(clock: Clock): KvStore {
  const keys = new Map<string, KvKey>();
  const settings: KvSettings = { maxVersions: 0, isCasRequired: false, deleteVersionAfterSeconds: 0 };
  const deletionMs = (key: KvKey): number | undefined => {
    const [own, mount] = [key.deleteVersionAfterSeconds, settings.deleteVersionAfterSeconds];
    if (own < 0 || mount < 0) return undefined;
    const seconds = own > 0 && mount > 0 ? Math.min(own, mount) : own || mount;
    return seconds > 0 ? clock.wall() + seconds * 1000 : undefined;
  };
  return {
    keys,
    settings,
    deletionMs,
    isGone: (version) =>
      version.isDestroyed || (version.deletedMs !== undefined && version.deletedMs <= clock.wall()),
    ensure(path) {
      const found = keys.get(path);
      if (found !== undefined) return found;
      const key = newKey(clock.wall());
      keys.set(path, key);
      return key;
    },
    checkCas(path, cas) {
      const key = keys.get(path);
      if (cas === undefined) {
        if (!settings.isCasRequired && !key?.isCasRequired) return;
        throw badRequest('check-and-set parameter required for this call');
      }
      if (cas !== (key?.currentVersion ?? 0)) {
        throw badRequest('check-and-set parameter did not match the current version');
      }
    },
    write(path, data) {
      const key = this.ensure(path);
      const version: KvVersion = {
        data,
        createdMs: clock.wall(),
        deletedMs: deletionMs(key),
        isDestroyed: false,
      };
      key.currentVersion++;
      key.updatedMs = version.createdMs;
      key.versions.set(key.currentVersion, version);
      dropOldVersions(key, Math.max(key.maxVersions, settings.maxVersions) || defaultMaxVersions);
      return version;
    },
  };
}

function newKey(nowMs: number): KvKey {
  return {
    versions: new Map(),
    currentVersion: 0,
    oldestVersion: 0,
    createdMs: nowMs,
    updatedMs: nowMs,
    maxVersions: 0,
    isCasRequired: false,
    deleteVersionAfterSeconds: 0,
    customMetadata: null,
  };
}

function dropOldVersions(key: KvKey, maxVersions: number): void {
  if (key.currentVersion - key.oldestVersion < maxVersions) return;
  const last = key.currentVersion - maxVersions;
  for (let number = key.oldestVersion; number <= last; number++) key.versions.delete(number);
  key.oldestVersion = last + 1;
}
