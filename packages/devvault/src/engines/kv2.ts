// Key-value secrets, version 2, as an API: data, subkeys, delete, undelete, destroy, config. Metadata is kv2-metadata.ts.

import { isJsonObject, JsonNumber, type JsonObject, type JsonValue } from '../../../../src/base/text/json.ts';
import type { Clock } from '../../../../src/base/time/clock.ts';
import type { Backend, BackendContext, Call, Route, VaultResponse } from '../backend.ts';
import { boolField, hasField, intField, listField, mapField, secondsField } from '../fields.ts';
import { badRequest } from '../vault-error.ts';
import { goDuration, metadataRoute } from './kv2-metadata.ts';
import { createKvStore, type KvKey, type KvStore, type KvVersion } from './kv2-store.ts';

export function createKv2(context: BackendContext): Backend {
  const store = createKvStore(context.clock);
  const tell: Tell = (type, path, version) =>
    context.publish(`kv-v2/${type}`, {
      path: `${context.mount.path}${type.split('-')[0]}/${path}`,
      data_path: `${context.mount.path}data/${path}`,
      operation: type,
      modified: 'true',
      ...(version === undefined
        ? {}
        : {
            current_version: String(version),
            oldest_version: String(store.keys.get(path)?.oldestVersion ?? 0),
          }),
    });
  return {
    routes: [
      configRoute(store),
      dataRoute(store, tell, context.clock),
      subkeysRoute(store),
      ...versionsRoutes(store, tell, context),
      metadataRoute(store, tell),
      invalidPathRoute(),
    ],
  };
}

type Tell = (type: string, path: string, version?: number) => void;

function configRoute(store: KvStore): Route {
  return {
    pattern: 'config',
    read: () => ({
      data: {
        max_versions: store.settings.maxVersions,
        cas_required: store.settings.isCasRequired,
        delete_version_after: goDuration(store.settings.deleteVersionAfterSeconds),
      },
    }),
    update: ({ data }) => {
      if (hasField(data, 'max_versions')) store.settings.maxVersions = intField(data, 'max_versions');
      if (hasField(data, 'cas_required')) store.settings.isCasRequired = boolField(data, 'cas_required');
      if (hasField(data, 'delete_version_after')) {
        store.settings.deleteVersionAfterSeconds = secondsField(data, 'delete_version_after');
      }
      return undefined;
    },
  };
}

function dataRoute(store: KvStore, tell: Tell, clock: Clock): Route {
  return {
    pattern: 'data/*path',
    exists: (call) => store.keys.has(pathOf(call)),
    read: (call) => readVersion(store, call),
    update: (call) => {
      const path = requirePath(call);
      const data = mapField(call.data, 'data');
      if (data === undefined) throw badRequest('no data provided');
      store.checkCas(path, casOf(call.data));
      store.write(path, asFloats(data) as JsonObject);
      return written(store, tell, 'data-write', path);
    },
    patch: (call) => {
      const path = requirePath(call);
      const patch = mapField(call.data, 'data');
      if (patch === undefined) throw badRequest('no data provided');
      const key = store.keys.get(path);
      if (key === undefined) return { status: 404, isEmpty: true };
      store.checkCas(path, casOf(call.data));
      const current = key.versions.get(key.currentVersion);
      if (current === undefined) return { status: 404, isEmpty: true };
      if (store.isGone(current) || current.data === undefined) {
        return { status: 404, data: versionInfo(key, key.currentVersion, current) };
      }
      store.write(path, mergePatch(current.data, asFloats(patch) as JsonObject));
      return written(store, tell, 'data-patch', path);
    },
    delete: (call) => {
      const key = store.keys.get(pathOf(call));
      const current = key?.versions.get(key.currentVersion);
      if (current === undefined || store.isGone(current)) return undefined;
      current.deletedMs = clock.wall();
      tell('data-delete', pathOf(call), key?.currentVersion);
      return undefined;
    },
  };
}

function readVersion(store: KvStore, call: Call): VaultResponse | undefined {
  const key = store.keys.get(pathOf(call));
  if (key === undefined) return undefined;
  const number = intField(call.data, 'version') || key.currentVersion;
  const version = key.versions.get(number);
  if (version === undefined) return undefined;
  const metadata = versionInfo(key, number, version);
  if (store.isGone(version)) return { status: 404, data: { data: null, metadata } };
  return { data: { data: version.data, metadata } };
}

function written(store: KvStore, tell: Tell, type: string, path: string): VaultResponse {
  const key = store.ensure(path);
  const version = key.versions.get(key.currentVersion);
  tell(type, path, key.currentVersion);
  return { data: version === undefined ? null : versionInfo(key, key.currentVersion, version) };
}

function versionInfo(key: KvKey, number: number, version: KvVersion): object {
  return {
    version: number,
    created_time: timeText(version.createdMs),
    deletion_time: timeText(version.deletedMs),
    destroyed: version.isDestroyed,
    custom_metadata: key.customMetadata,
  };
}

function subkeysRoute(store: KvStore): Route {
  return {
    pattern: 'subkeys/*path',
    read: (call) => {
      const response = readVersion(store, call);
      const { data, metadata } = (response?.data ?? {}) as { data?: JsonObject | null; metadata?: object };
      if (response === undefined || !data) {
        return response && { ...response, data: { subkeys: null, metadata } };
      }
      return { data: { subkeys: keysOnly(data, intField(call.data, 'depth')), metadata } };
    },
  };
}

function keysOnly(data: JsonObject, depth: number, level = 1): object {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => {
      const isDeeper = isJsonObject(value) && Object.keys(value).length > 0 && (depth === 0 || level < depth);
      return [key, isDeeper ? keysOnly(value, depth, level + 1) : null];
    }),
  );
}

function versionsRoutes(store: KvStore, tell: Tell, context: BackendContext): Route[] {
  const each = (
    call: Call,
    missing: string,
    change: (version: KvVersion, key: KvKey) => void,
  ): KvKey | undefined => {
    const numbers = listField(call.data, 'versions').map(Number);
    if (numbers.length === 0) throw badRequest(missing);
    const key = store.keys.get(pathOf(call));
    for (const number of numbers) {
      const version = key?.versions.get(number);
      if (key !== undefined && version !== undefined && !version.isDestroyed) change(version, key);
    }
    return key;
  };
  const remove = (call: Call): undefined => {
    const key = each(call, 'No version number provided', (version) => {
      if (!store.isGone(version)) version.deletedMs = context.clock.wall();
    });
    if (key !== undefined) tell('delete', pathOf(call), key.currentVersion);
  };
  const restore = (call: Call): undefined => {
    const key = each(call, 'No version number provided', (version, owner) => {
      version.deletedMs = store.deletionMs(owner);
    });
    if (key !== undefined) tell('undelete', pathOf(call), key.currentVersion);
  };
  const destroy = (call: Call): undefined => {
    const key = each(call, 'no version number provided', (version) => {
      version.isDestroyed = true;
      version.data = undefined;
    });
    if (key !== undefined) tell('destroy', pathOf(call), key.currentVersion);
  };
  const exists = (call: Call): boolean => store.keys.has(pathOf(call));
  return [
    { pattern: 'delete/*path', update: remove, exists },
    { pattern: 'undelete/*path', update: restore, exists },
    { pattern: 'destroy/*path', update: destroy, exists },
  ];
}

const verbs: Readonly<Record<string, string>> = {
  create: 'put',
  update: 'put',
  patch: 'patch',
  read: 'get',
  list: 'list',
  delete: 'delete',
};

// Whoever takes a version 2 mount for a version 1 is told so.
function invalidPathRoute(): Route {
  const refuse = (call: Call): VaultResponse => ({
    status: 404,
    warnings: [
      /^(metadata|data|delete|undelete|destroy)$/.test(call.rest)
        ? 'Non-listing operations on the root of a K/V v2 mount are not supported.'
        : `Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. If using the Vault CLI, use 'vault kv ${verbs[call.operation]}' for this operation.`,
    ],
  });
  return { pattern: '*path', read: refuse, list: refuse, update: refuse, patch: refuse, delete: refuse };
}

// The engine keeps JSON numbers as 64-bit floats, unlike version 1.
function asFloats(value: JsonValue): JsonValue {
  if (value instanceof JsonNumber) return new JsonNumber(JSON.stringify(Number(value.text)));
  if (Array.isArray(value)) return value.map(asFloats);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asFloats(item)]));
}

/** RFC 7396. */
function mergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  const merged: JsonObject = { ...target };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else if (isJsonObject(value))
      merged[key] = mergePatch(isJsonObject(merged[key] ?? null) ? (merged[key] as JsonObject) : {}, value);
    else merged[key] = value;
  }
  return merged;
}

function casOf(data: JsonObject): number | undefined {
  const options = mapField(data, 'options');
  return options !== undefined && hasField(options, 'cas') ? intField(options, 'cas') : undefined;
}

function pathOf(call: Call): string {
  return call.params['path'] ?? '';
}

function requirePath(call: Call): string {
  if (pathOf(call) === '') throw badRequest('missing path');
  return pathOf(call);
}

function timeText(ms: number | undefined): string {
  return ms === undefined ? '' : new Date(ms).toISOString();
}
