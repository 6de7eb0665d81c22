// Azure Key Vault as an upstream: secrets, and certificates with their keys, which are secrets of the same name.
import { LatchkeyError } from '../../base/errors.ts';
import { isJsonObject, JsonNumber, type JsonObject } from '../../base/text/json.ts';
import type { SecretAnswer } from '../../store/secret-version.ts';
import { createIdentityKeeper } from '../cloud/identity-keeper.ts';
import { type AccessToken, createBearerCalls, wordIn } from '../kind/bearer-calls.ts';
import { createHttpCalls, jsonBody } from '../kind/http-calls.ts';
import { partAnswer, valueAnswer } from '../kind/kind-answer.ts';
import { createKindSource, type KindClient } from '../kind/kind-source.ts';
import type { SecretSource, SourceOptions } from '../secret-source.ts';
import { azureAccessToken } from './azure-access-token.ts';
import type { AzureUpstreamConfig } from './azure-kind.ts';
import { parseAzurePath } from './azure-path.ts';

const apiVersion = '7.4';

export function createAzureSource(options: SourceOptions<AzureUpstreamConfig>): SecretSource {
  return createKindSource(options, () => createAzureClient(options));
}

function createAzureClient(options: SourceOptions<AzureUpstreamConfig>): KindClient {
  const { config, clock, env, faultOf } = options;
  const logger = options.logger.child({ upstream: config.name });
  const http = createHttpCalls(options);
  const identity = createIdentityKeeper<AccessToken>({
    clock,
    logger,
    observer: options.observer,
    fetch: (signal) => azureAccessToken(config, { env, faultOf, signal }),
  });
  const calls = createBearerCalls({ http, identity, detailOf, meaning });

  return {
    address: config.vault,
    budget: http.budget,
    login: () => ({ method: 'azure', state: identity.current() === undefined ? 'none' : 'logged_in' }),
    connect: async (signal) => void (await identity.get(signal)),
    async read(reference, request) {
      const { name, version, key } = parseAzurePath(reference.path, reference.parameters);
      const url = `${config.vault}/secrets/${name}${version === undefined ? '' : `/${encodeURIComponent(version)}`}?api-version=${apiVersion}`;
      return secretAnswer(
        jsonBody(await calls.get(url, `secret ${name}`, request)),
        key,
        reference.path,
        clock.wall(),
      );
    },
    canonicalPath(reference) {
      const { name, version, key } = parseAzurePath(reference.path, reference.parameters);
      // Key Vault does not look at the case of names.
      return `${name.toLowerCase()}/${version ?? ''}${key === undefined ? '' : `#${key}`}`;
    },
    close: http.close,
  };
}

function secretAnswer(body: JsonObject, key: string | undefined, what: string, wallMs: number): SecretAnswer {
  const { value, id, contentType } = body;
  const attributes = isJsonObject(body['attributes']) ? body['attributes'] : {};
  const notBefore = attributes['nbf'];
  if (
    attributes['enabled'] === false ||
    (notBefore instanceof JsonNumber && Number(notBefore.text) * 1000 > wallMs)
  ) {
    throw new LatchkeyError('not_found', `${what} is disabled, or not valid yet`, {
      remedy: 'enable this version, or wait for its begin',
    });
  }
  const life = { versionId: typeof id === 'string' ? (id.split('/').at(-1) ?? '') : '' };
  const text = typeof value === 'string' ? value : '';
  // Certificate and key in one; PEM is text.
  if (contentType === 'application/x-pkcs12') return valueAnswer(Buffer.from(text, 'base64'), life);
  return partAnswer(Buffer.from(text), key, what, life);
}

function detailOf(answer: JsonObject): string {
  return [...codesIn(answer)].join(' ');
}

function meaning(answer: JsonObject, status: number, what: string): LatchkeyError | undefined {
  if (status !== 403 || !codesIn(answer).has('SecretDisabled')) return undefined;
  return new LatchkeyError('not_found', `${what} is disabled`, { remedy: 'enable this version' });
}

function codesIn({ error }: JsonObject): Set<string> {
  const outer = isJsonObject(error) ? error : {};
  const inner = isJsonObject(outer['innererror']) ? outer['innererror'] : {};
  return new Set([wordIn(outer['code']), wordIn(inner['code'])].filter((word) => word !== ''));
}
