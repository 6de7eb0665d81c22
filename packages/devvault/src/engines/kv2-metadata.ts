// The metadata side of KV 2: versions shown, settings of one key, custom metadata, listing, whole removal.

import type { JsonObject } from '../../../../src/base/text/json.ts';
import { formatDuration } from '../../../../src/base/time/duration.ts';
import type { Call, Route } from '../backend.ts';
import { boolField, hasField, intField, mapField, secondsField, textMapField } from '../fields.ts';
import { badRequest, collected } from '../vault-error.ts';
import type { KvKey, KvStore } from './kv2-store.ts';
import { listKeys } from './list-keys.ts';

export function metadataRoute(
  store: KvStore,
  tell: (type: string, path: string, version?: number) => void,
): Route {
  const pathOf = (call: Call): string => call.params['path'] ?? '';
  return {
    pattern: 'metadata/*path',
    exists: (call) => store.keys.has(pathOf(call)),
    read: (call) => {
      const key = store.keys.get(pathOf(call));
      return key && { data: describe(key) };
    },
    list: (call) => ({ data: { keys: listKeys(store.keys.keys(), pathOf(call)) } }),
    update: (call) => {
      if (pathOf(call) === '') throw badRequest('missing path');
      if (!hasSettings(call.data)) return undefined;
      const customMetadata = textMapField(call.data, 'custom_metadata');
      if (customMetadata !== undefined) checkCustomMetadata(customMetadata);
      const key = store.ensure(pathOf(call));
      applySettings(key, call.data);
      if (customMetadata !== undefined) key.customMetadata = customMetadata;
      tell('metadata-write', pathOf(call));
      return undefined;
    },
    patch: (call) => {
      const key = store.keys.get(pathOf(call));
      if (key === undefined) return { status: 404, isEmpty: true };
      applySettings(key, call.data);
      const patch = mapField(call.data, 'custom_metadata');
      if (patch !== undefined) key.customMetadata = patchCustomMetadata(key.customMetadata ?? {}, patch);
      tell('metadata-patch', pathOf(call));
      return undefined;
    },
    delete: (call) => {
      if (store.keys.delete(pathOf(call))) tell('metadata-delete', pathOf(call));
      return undefined;
    },
  };
}

function describe(key: KvKey): object {
  const versions = Object.fromEntries(
    [...key.versions].map(([number, version]) => [
      String(number),
      {
        created_time: new Date(version.createdMs).toISOString(),
        deletion_time: version.deletedMs === undefined ? '' : new Date(version.deletedMs).toISOString(),
        destroyed: version.isDestroyed,
      },
    ]),
  );
  return {
    versions,
    current_version: key.currentVersion,
    oldest_version: key.oldestVersion,
    created_time: new Date(key.createdMs).toISOString(),
    updated_time: new Date(key.updatedMs).toISOString(),
    max_versions: key.maxVersions,
    cas_required: key.isCasRequired,
    delete_version_after: goDuration(key.deleteVersionAfterSeconds),
    custom_metadata: key.customMetadata,
  };
}

const settingNames = ['max_versions', 'cas_required', 'delete_version_after', 'custom_metadata'];

function hasSettings(data: JsonObject): boolean {
  return settingNames.some((name) => hasField(data, name));
}

function applySettings(key: KvKey, data: JsonObject): void {
  if (hasField(data, 'max_versions')) key.maxVersions = intField(data, 'max_versions');
  if (hasField(data, 'cas_required')) key.isCasRequired = boolField(data, 'cas_required');
  if (hasField(data, 'delete_version_after'))
    key.deleteVersionAfterSeconds = secondsField(data, 'delete_version_after');
}

function patchCustomMetadata(current: Record<string, string>, patch: JsonObject): Record<string, string> {
  const removed = Object.keys(patch).filter((name) => patch[name] === null);
  const kept = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== null));
  const added = textMapField({ kept }, 'kept') ?? {};
  checkCustomMetadata(added);
  return Object.fromEntries(
    Object.entries({ ...current, ...added }).filter(([name]) => !removed.includes(name)),
  );
}

function checkCustomMetadata(metadata: Record<string, string>): void {
  const names = Object.keys(metadata);
  const prefix = 'custom_metadata validation failed';
  if (names.length > 64)
    throw badRequest(`${prefix}: payload must contain at most 64 keys, provided ${names.length}`);
  for (const [name, value] of Object.entries(metadata)) {
    if (name.length === 0 || name.length > 128)
      throw collected(
        400,
        `${prefix}: length of key "${name}" is ${name.length} but must be 0 < len(key) <= 128`,
      );
    if (value.length === 0 || value.length > 512) {
      throw collected(
        400,
        `${prefix}: length of value for key "${name}" is ${value.length} but must be 0 < len(value) <= 512`,
      );
    }
  }
}

/** As Go prints durations: `0s`, `1h0m0s`, `30m0s`. */
export function goDuration(seconds: number): string {
  const text = formatDuration(Math.abs(seconds) * 1000);
  if (seconds === 0) return '0s';
  const hours = Math.floor(Math.abs(seconds) / 3600);
  const minutes = Math.floor((Math.abs(seconds) % 3600) / 60);
  if (hours === 0 && minutes === 0) return `${seconds < 0 ? '-' : ''}${text}`;
  return `${seconds < 0 ? '-' : ''}${hours > 0 ? `${hours}h` : ''}${minutes}m${Math.abs(seconds) % 60}s`;
}
