// Any HTTP interface as an upstream (`kind: http`): a request made of the config, a part of the answer, conditional polling.
import { isUtf8 } from 'node:buffer';
import { BoundedMap } from '../../base/bounded-map.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { isJsonObject, JsonNumber, type JsonValue, parseJson } from '../../base/text/json.ts';
import { shownUrl } from '../../base/text/shown-url.ts';
import { type Reference, referenceKey } from '../../store/reference.ts';
import type { RequestOptions } from '../../store/secret-reading.ts';
import type { SecretAnswer } from '../../store/secret-version.ts';
import { readSecretFile } from '../file/read-secret-file.ts';
import { UpstreamFailure } from '../gate/failure.ts';
import { checkStatus, createHttpCalls, type HttpAnswer } from '../kind/http-calls.ts';
import { documentAnswer, fieldsAnswer, secondsUntil, valueAnswer } from '../kind/kind-answer.ts';
import { createKindSource, type KindClient } from '../kind/kind-source.ts';
import type { SecretSource, SourceOptions } from '../secret-source.ts';
import type { HttpUpstreamConfig } from './endpoint-kind.ts';
import { filledBody, filledUrl } from './endpoint-path.ts';
import { pointTo } from './json-pointer.ts';

/** What a conditional request needs of the last answer. */
interface Validator {
  readonly etag: string | undefined;
  readonly modified: string | undefined;
  /** Monotonic: until then the answer says that it is good (max-age). */
  readonly freshUntil: number;
}

export function createEndpointSource(options: SourceOptions<HttpUpstreamConfig>): SecretSource {
  return createKindSource(options, () => createEndpointClient(options));
}

function createEndpointClient(options: SourceOptions<HttpUpstreamConfig>): KindClient {
  const { config, clock } = options;
  const calls = createHttpCalls(options);
  const validators = new BoundedMap<string, Validator>(10_000);

  async function ask(reference: Reference, request: RequestOptions, known?: Validator): Promise<HttpAnswer> {
    const answer = await calls.send(
      {
        method: config.method,
        url: filledUrl(config.url, reference),
        headers: { ...(await headersOf(options)), ...conditions(known) },
        ...(config.body === undefined ? {} : { body: filledBody(config.body, reference) }),
      },
      request,
    );
    if (known !== undefined && answer.status === 304) return answer;
    if (!config.okStatus.includes(answer.status)) {
      checkStatus(answer, reference.path);
      throw new UpstreamFailure(
        'answer_invalid',
        `${answer.where} answers ${answer.status}, expected ${config.okStatus.join(' or ')}`,
      );
    }
    return answer;
  }

  return {
    address: shownUrl(config.url),
    budget: calls.budget,
    async read(reference, request) {
      const answer = await ask(reference, request);
      validators.set(referenceKey(reference), validatorOf(answer, clock.now()));
      return secretOf(answer, config, clock.wall());
    },
    async isCurrent(reference, _version, request) {
      const known = validators.get(referenceKey(reference));
      if (known === undefined) return undefined;
      // Somebody who asks now wants to know now.
      if (
        request.priority === 'background' &&
        request.promoted?.aborted !== true &&
        clock.now() < known.freshUntil
      )
        return true;
      if (known.etag === undefined && known.modified === undefined) return undefined;
      const answer = await ask(reference, request, known);
      return answer.status === 304;
    },
    close: calls.close,
  };
}

async function headersOf({
  config,
  faultOf,
}: Pick<SourceOptions<HttpUpstreamConfig>, 'config' | 'faultOf'>): Promise<Record<string, string>> {
  const files = Object.entries(config.headerFiles).map(async ([name, path]) => {
    const { bytes } = await readSecretFile(path, { holds: 'secrets', maxBytes: 64 * 1024, faultOf });
    const value = bytes.toString('utf8').replace(/\r?\n$/, '');
    if (/[\r\n\0]/.test(value))
      throw new LatchkeyError('login_failed', `${path}: expected one line for the header ${name}`);
    return [name, value] as const;
  });
  try {
    return { accept: 'application/json', ...config.headers, ...Object.fromEntries(await Promise.all(files)) };
  } catch (error) {
    if (!(error instanceof LatchkeyError) || error.code === 'login_failed') throw error;
    throw new LatchkeyError('login_failed', error.message, {
      cause: error,
      remedy: error.remedy,
    });
  }
}

function conditions(known: Validator | undefined): Record<string, string> {
  if (known === undefined) return {};
  if (known.etag !== undefined) return { 'if-none-match': known.etag };
  return known.modified === undefined ? {} : { 'if-modified-since': known.modified };
}

function validatorOf({ headers }: HttpAnswer, now: number): Validator {
  const control = headers['cache-control'] ?? '';
  const seconds = /\bno-(?:cache|store)\b/.test(control)
    ? undefined
    : /\bmax-age=(\d{1,9})\b/.exec(control)?.[1];
  return {
    etag: headers.etag,
    modified: headers['last-modified'],
    freshUntil: now + Number(seconds ?? 0) * 1000,
  };
}

function secretOf(answer: HttpAnswer, { pointers }: HttpUpstreamConfig, wallMs: number): SecretAnswer {
  const etag = answer.headers.etag;
  if (pointers.value === undefined && pointers.version === undefined && pointers.expires === undefined) {
    return documentAnswer(answer.body, etag === undefined ? {} : { versionId: etag });
  }
  const document = parsed(answer);
  const version = pointers.version === undefined ? undefined : textOf(pointTo(document, pointers.version));
  const seconds =
    pointers.expires === undefined ? undefined : secondsUntil(pointTo(document, pointers.expires), wallMs);
  const versionId = version ?? etag;
  const life = {
    ...(versionId === undefined ? {} : { versionId }),
    ...(seconds === undefined ? {} : ({ kind: 'expiring', ttlSeconds: seconds } as const)),
  };
  const value = pointTo(document, pointers.value ?? '');
  if (value === undefined || value === null) {
    throw new LatchkeyError('not_found', `${answer.where} answers without ${pointers.value ?? 'a value'}`, {
      remedy: 'check value of this upstream',
    });
  }
  if (isJsonObject(value)) return fieldsAnswer(value, life);
  const text = textOf(value);
  return text === undefined ? fieldsAnswer({ value }, life) : valueAnswer(Buffer.from(text), life);
}

function parsed({ body, where }: HttpAnswer): JsonValue {
  if (!isUtf8(body)) throw new UpstreamFailure('answer_invalid', `${where} answers JSON that is no UTF-8`);
  try {
    return parseJson(body.toString('utf8'));
  } catch {
    // No cause: the parser's error quotes the answer.
    throw new UpstreamFailure('answer_invalid', `${where} answers no JSON`);
  }
}

function textOf(value: JsonValue | undefined): string | undefined {
  if (value instanceof JsonNumber) return value.text;
  return typeof value === 'string' ? value : undefined;
}
