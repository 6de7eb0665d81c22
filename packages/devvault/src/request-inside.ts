// Requests from the same process, straight to the router: no connection, no faults, no counters.
import { type JsonObject, parseJson } from '../../../src/base/text/json.ts';
import type { Operation } from './backend.ts';
import type { Core } from './core.ts';
import type { DevAnswer, DevMethod, DevRequestOptions } from './dev-vault.ts';
import { newUuid } from './identifiers.ts';
import { type Answer, errorAnswer, resolveNamespace, route } from './router.ts';
import { VaultError } from './vault-error.ts';

const operations: Readonly<Record<DevMethod, Operation>> = {
  GET: 'read',
  LIST: 'list',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

export async function requestInside(
  core: Core,
  rootToken: string,
  method: DevMethod,
  path: string,
  data: object = {},
  options: DevRequestOptions = {},
): Promise<DevAnswer> {
  return parseAnswer(await ask(core, rootToken, method, path, data, options));
}

async function ask(
  core: Core,
  rootToken: string,
  method: DevMethod,
  path: string,
  data: object,
  options: DevRequestOptions,
): Promise<Answer> {
  const resolved = resolveNamespace(core, options.namespace ?? '', path);
  if (resolved === undefined) return errorAnswer(new VaultError(404, ['namespace not found']));
  const isBareList = method === 'LIST' && !resolved.path.endsWith('/');
  return await route(core, {
    id: newUuid(),
    operation: operations[method],
    namespace: resolved.namespace,
    path: isBareList ? `${resolved.path}/` : resolved.path,
    data: parseJson(JSON.stringify(data)) as JsonObject,
    headers: {},
    clientToken: options.token ?? rootToken,
    remoteAddress: '127.0.0.1',
    wrapTtlSeconds: options.wrapTtlSeconds ?? 0,
  });
}

function parseAnswer({ status, body }: Answer): DevAnswer {
  const text = body?.toString() ?? '';
  try {
    return { status, body: text === '' ? {} : JSON.parse(text) };
  } catch {
    // A raw answer such as a PEM.
    return { status, body: text };
  }
}
