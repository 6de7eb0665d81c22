// 1Password Connect as an upstream: items by title or id, their fields and files; the vault's own count of changes is the probe.
import { BoundedMap } from '../../base/bounded-map.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { SecretValue } from '../../base/secret-value.ts';
import { isJsonObject, JsonNumber, type JsonObject, parseJson } from '../../base/text/json.ts';
import type { RequestOptions } from '../../store/secret-reading.ts';
import type { SecretAnswer } from '../../store/secret-version.ts';
import { createIdentityKeeper } from '../cloud/identity-keeper.ts';
import { readLoginFile } from '../cloud/login-file.ts';
import { UpstreamFailure } from '../gate/failure.ts';
import { type AccessToken, createBearerCalls, loginFailed } from '../kind/bearer-calls.ts';
import { createHttpCalls, type HttpAnswer, jsonBody } from '../kind/http-calls.ts';
import { fieldsAnswer, valueAnswer } from '../kind/kind-answer.ts';
import { createKindSource, type KindClient } from '../kind/kind-source.ts';
import type { SecretSource, SourceOptions } from '../secret-source.ts';
import { createAccountClient } from './account-client.ts';
import {
  canonicalItemPath,
  itemKey,
  oneTimeLife,
  onlyOne,
  pickField,
  pickFile,
  plainFields,
} from './onepassword-item.ts';
import type { OnepasswordUpstreamConfig } from './onepassword-kind.ts';
import { type ItemPath, parseItemPath } from './onepassword-path.ts';

interface Known {
  readonly vaultId: string;
  readonly itemId: string;
  /** The vault's `contentVersion` before the item was read. */
  readonly contentVersion: string;
}

export function createOnepasswordSource(options: SourceOptions<OnepasswordUpstreamConfig>): SecretSource {
  const { account } = options.config;
  return createKindSource(options, () =>
    account === undefined ? createOnepasswordClient(options) : createAccountClient(options),
  );
}

function createOnepasswordClient(options: SourceOptions<OnepasswordUpstreamConfig>): KindClient {
  const { config, clock } = options;
  const http = createHttpCalls(options);
  const identity = createIdentityKeeper<AccessToken>({
    clock,
    logger: options.logger,
    observer: options.observer,
    fetch: () => tokenOf(options),
  });
  const calls = createBearerCalls({ http, identity });
  const known = new BoundedMap<string, Known>(10_000);
  const base = `${config.address}/v1/vaults`;

  async function vaultOf(name: string, request: RequestOptions): Promise<JsonObject> {
    if (isId(name)) return jsonBody(await calls.get(`${base}/${name}`, `vault ${name}`, request));
    const id = await find(`${base}?filter=${filter('name', name)}`, `vault ${name}`, request);
    return jsonBody(await calls.get(`${base}/${id}`, `vault ${name}`, request));
  }

  async function find(url: string, what: string, request: RequestOptions): Promise<string> {
    const found = listIn(await calls.get(url, what, request)).filter(
      (one) => one['state'] === undefined || one['state'] === null,
    );
    return String(onlyOne(found, what)['id']);
  }

  async function read(path: ItemPath, request: RequestOptions): Promise<SecretAnswer> {
    const vault = await vaultOf(path.vault, request);
    const vaultId = String(vault['id']);
    const items = `${base}/${vaultId}/items`;
    const what = `item ${path.vault}/${path.item}`;
    const itemId = isId(path.item)
      ? path.item
      : await find(`${items}?filter=${filter('title', path.item)}`, what, request);
    const item = jsonBody(await calls.get(`${items}/${itemId}`, what, request));
    const version = item['version'];
    known.set(itemKey(path), { vaultId, itemId, contentVersion: textOf(vault['contentVersion']) });
    return await answerOf(item, path, `${items}/${itemId}`, { versionId: textOf(version) }, request);
  }

  async function answerOf(
    item: JsonObject,
    path: ItemPath,
    url: string,
    life: { versionId: string },
    request: RequestOptions,
  ): Promise<SecretAnswer> {
    if (path.field === undefined) return fieldsAnswer(plainFields(item), life);
    const field = pickField(item, path);
    if (field?.totp !== undefined && path.attribute === 'otp') {
      return valueAnswer(Buffer.from(field.totp), { ...life, ...oneTimeLife(clock.wall(), field.value) });
    }
    if (field?.value !== undefined) return valueAnswer(Buffer.from(field.value), life);
    const file = pickFile(item, path);
    if (file === undefined)
      throw new LatchkeyError(
        'not_found',
        `1Password: item ${path.vault}/${path.item} has no field ${path.field}`,
      );
    return valueAnswer(
      (await calls.get(`${url}/files/${encodeURIComponent(file)}/content`, `file ${path.field}`, request))
        .body,
      life,
    );
  }

  return {
    address: config.address,
    budget: http.budget,
    login: () => ({ method: 'connect', state: identity.current() === undefined ? 'none' : 'logged_in' }),
    connect: async (signal) => void (await identity.get(signal)),
    read: ({ path }, request) => read(parseItemPath(path), request),
    async isCurrent({ path }, _version, request) {
      const parsed = parseItemPath(path);
      const seen = known.get(itemKey(parsed));
      // Codes change, and the vault does not.
      if (seen === undefined || parsed.attribute === 'otp') return undefined;
      const vault = jsonBody(await calls.get(`${base}/${seen.vaultId}`, 'the vault', request));
      // Another item of the vault may be the one that changed: then the item itself is read.
      return textOf(vault['contentVersion']) === seen.contentVersion ? true : undefined;
    },
    canonicalPath({ path }) {
      const parsed = parseItemPath(path);
      const seen = known.get(itemKey(parsed));
      return canonicalItemPath(parsed, seen && `${seen.vaultId}/${seen.itemId}`);
    },
    close: http.close,
  };
}

/** 26 letters and digits; all else is a title. */
function isId(name: string): boolean {
  return /^[a-z0-9]{26}$/.test(name);
}

function filter(field: 'name' | 'title', value: string): string {
  return encodeURIComponent(`${field} eq "${value.replace(/[\\"]/g, '\\$&')}"`);
}

function listIn({ body, where }: HttpAnswer): JsonObject[] {
  try {
    const value = parseJson(body.toString('utf8'));
    if (Array.isArray(value)) return value.filter(isJsonObject);
  } catch {
    // The parser's error would quote the answer.
  }
  throw new UpstreamFailure('answer_invalid', `${where} answers something else than a list`);
}

async function tokenOf({
  config,
  env,
  faultOf,
}: SourceOptions<OnepasswordUpstreamConfig>): Promise<AccessToken> {
  const { tokenFile } = config;
  if (tokenFile === undefined) {
    const token = env['OP_CONNECT_TOKEN'];
    if (token) return { token: SecretValue.fromText(token), expiresAt: undefined };
    throw loginFailed(
      '1Password Connect wants a token',
      'set token_file at this upstream, or $OP_CONNECT_TOKEN',
    );
  }
  const text = (await readLoginFile(tokenFile, { faultOf })).trim();
  return { token: SecretValue.fromText(text), expiresAt: undefined };
}

function textOf(value: unknown): string {
  return value instanceof JsonNumber ? value.text : typeof value === 'string' ? value : '';
}
