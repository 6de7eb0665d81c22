// Google Secret Manager as an upstream: versions by number, alias or `latest`, each value checked against its checksum.
import { BoundedMap } from '../../base/bounded-map.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { isJsonObject, type JsonObject } from '../../base/text/json.ts';
import { gcpAccessToken } from '../cloud/gcp-access-token.ts';
import { createIdentityKeeper } from '../cloud/identity-keeper.ts';
import { UpstreamFailure } from '../gate/failure.ts';
import { type AccessToken, createBearerCalls, wordIn } from '../kind/bearer-calls.ts';
import { createHttpCalls, jsonBody } from '../kind/http-calls.ts';
import { partAnswer } from '../kind/kind-answer.ts';
import { createKindSource, type KindClient } from '../kind/kind-source.ts';
import type { SecretSource, SourceOptions } from '../secret-source.ts';
import { crc32c } from './crc32c.ts';
import type { GcpUpstreamConfig } from './gcp-kind.ts';
import { parseGcpPath } from './gcp-path.ts';

export function createGcpSource(options: SourceOptions<GcpUpstreamConfig>): SecretSource {
  return createKindSource(options, () => createGcpClient(options));
}

function createGcpClient(options: SourceOptions<GcpUpstreamConfig>): KindClient {
  const { config, clock, env, faultOf } = options;
  const logger = options.logger.child({ upstream: config.name });
  const http = createHttpCalls(options);
  const { credentialsFile } = config;
  const identity = createIdentityKeeper<AccessToken>({
    clock,
    logger,
    observer: options.observer,
    fetch: (signal) => gcpAccessToken({ env, credentialsFile, signal, faultOf }),
  });
  const calls = createBearerCalls({ http, identity, detailOf, meaning });
  /** What Google calls it, by what it was asked for as: the number of the project, the number of the version. */
  const names = new BoundedMap<string, string>(20_000);

  return {
    address: config.endpoint,
    budget: http.budget,
    login: () => ({ method: 'gcp', state: identity.current() === undefined ? 'none' : 'logged_in' }),
    connect: async (signal) => void (await identity.get(signal)),
    async read(reference, request) {
      const { resource, key } = parseGcpPath(reference.path, config, reference.parameters);
      const answer = await calls.get(
        `${config.endpoint}/v1/${resource}:access`,
        `secret ${resource}`,
        request,
      );
      const body = jsonBody(answer);
      const name = typeof body['name'] === 'string' ? body['name'] : resource;
      names.set(resource, name.replace(/\/versions\/.*$/s, ''));
      return partAnswer(payloadOf(body, answer.where), key, reference.path, {
        versionId: name.split('/').at(-1) ?? '',
      });
    },
    canonicalPath(reference) {
      const { resource, key } = parseGcpPath(reference.path, config, reference.parameters);
      const version = resource.split('/').at(-1) ?? '';
      return `${names.get(resource) ?? resource.replace(/\/versions\/.*$/s, '')}/${version}${key === undefined ? '' : `#${key}`}`;
    },
    close: http.close,
  };
}

function payloadOf(body: JsonObject, where: string): Buffer {
  const payload = isJsonObject(body['payload']) ? body['payload'] : {};
  const { data, dataCrc32c: sum } = payload;
  const value = Buffer.from(typeof data === 'string' ? data : '', 'base64');
  if (typeof sum === 'string' && sum !== String(crc32c(value))) {
    throw new UpstreamFailure('answer_invalid', `${where}: the value does not fit its checksum`, {
      remedy: 'check what stands between',
    });
  }
  return value;
}

function detailOf({ error }: JsonObject): string {
  return isJsonObject(error) ? wordIn(error['status']) : '';
}

/** A version that is disabled or destroyed is gone: `latest` is the highest number, even of one that is disabled. */
function meaning({ error }: JsonObject, status: number, what: string): LatchkeyError | undefined {
  if (status !== 400 || !isJsonObject(error) || error['status'] !== 'FAILED_PRECONDITION') return undefined;
  return new LatchkeyError('not_found', `${what} is disabled or destroyed`, {
    remedy: 'enable it, or add a version',
  });
}
