// Secrets Manager: single secrets by version or stage, the current ones of many in one request, and all of a prefix or a tag.

import { LatchkeyError } from '../../base/errors.ts';
import { counted } from '../../base/text/counted.ts';
import { type JsonObject, type JsonValue, objectsIn } from '../../base/text/json.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { RequestOptions } from '../../store/secret-reading.ts';
import { createBatcher } from '../kind/batcher.ts';
import { jsonFields } from '../kind/kind-answer.ts';
import { type AwsCalls, errorOfType, isDenied, pagesOf } from './aws-calls.ts';

export interface AwsSecret {
  readonly value: Buffer;
  readonly versionId: string | undefined;
  readonly arn: string | undefined;
  readonly name: string | undefined;
}

export interface VersionChoice {
  readonly versionId: string | undefined;
  readonly stage: string | undefined;
}

export interface SecretsManager {
  read(id: string, choice: VersionChoice, request: RequestOptions): Promise<AwsSecret>;
  /** The answer of AWS as it came; in no batch. */
  readValue(id: string, choice: VersionChoice, request: RequestOptions): Promise<JsonObject>;
  /** By the rest of their names after `prefix`; with `tag` (`key=value`) only those that have it. */
  readAll(prefix: string, tag: string | undefined, request: RequestOptions): Promise<JsonObject>;
}

/** The most of BatchGetSecretValue. */
const mostInBatch = 20;
const mostPages = 100;

export function createSecretsManager({ call }: AwsCalls, clock: Clock): SecretsManager {
  /** The right to BatchGetSecretValue is one of its own, and may be absent. */
  let mayBatch = true;
  const batcher = createBatcher<AwsSecret>({ clock, most: mostInBatch, run: readMany });

  async function readOne(id: string, choice: VersionChoice, request: RequestOptions): Promise<AwsSecret> {
    return toSecret(await readValue(id, choice, request));
  }

  function readValue(id: string, choice: VersionChoice, request: RequestOptions): Promise<JsonObject> {
    const { versionId, stage } = choice;
    const body = {
      SecretId: id,
      ...(versionId === undefined ? {} : { VersionId: versionId }),
      ...(stage === undefined ? {} : { VersionStage: stage }),
    };
    return call('secretsmanager', 'secretsmanager.GetSecretValue', body, `secret ${id}`, request);
  }

  async function readMany(
    ids: readonly string[],
    request: RequestOptions,
  ): Promise<ReadonlyMap<string, AwsSecret | Error>> {
    if (ids.length === 1 || !mayBatch) return await readEach(ids, request);
    try {
      return await readBatch(ids, request);
    } catch (error) {
      if (!isDenied(error)) throw error;
      mayBatch = false;
      return await readEach(ids, request);
    }
  }

  async function readBatch(
    ids: readonly string[],
    request: RequestOptions,
  ): Promise<ReadonlyMap<string, AwsSecret | Error>> {
    const answer = await call(
      'secretsmanager',
      'secretsmanager.BatchGetSecretValue',
      { SecretIdList: ids },
      counted(ids.length, 'secret'),
      request,
    );
    const found = objectsIn(answer['SecretValues']).map(toSecret);
    const errors = objectsIn(answer['Errors']);
    return new Map<string, AwsSecret | Error>(
      ids.map((id) => {
        const secret = found.find(({ name, arn }) => name === id || arn === id || arn?.slice(0, -7) === id);
        if (secret !== undefined) return [id, secret];
        const type = errors.find(({ SecretId }) => SecretId === id)?.['ErrorCode'];
        return [
          id,
          errorOfType(typeof type === 'string' ? type : 'ResourceNotFoundException', `secret ${id}`),
        ];
      }),
    );
  }

  async function readEach(
    ids: readonly string[],
    request: RequestOptions,
  ): Promise<ReadonlyMap<string, AwsSecret | Error>> {
    const current = { versionId: undefined, stage: undefined };
    const answers = ids.map(async (id) => [id, await readOne(id, current, request).catch(asError)] as const);
    return new Map<string, AwsSecret | Error>(await Promise.all(answers));
  }

  async function readAll(
    prefix: string,
    tag: string | undefined,
    request: RequestOptions,
  ): Promise<JsonObject> {
    const body = { Filters: filtersOf(prefix, tag), MaxResults: mostInBatch };
    const pages = pagesOf(
      (token) =>
        call(
          'secretsmanager',
          'secretsmanager.BatchGetSecretValue',
          { ...body, ...token },
          `the secrets ${prefix}*`,
          request,
        ),
      mostPages,
      `there are more than ${mostPages * mostInBatch} secrets ${prefix}*`,
    );
    const fields: JsonObject = {};
    for await (const page of pages) {
      for (const secret of objectsIn(page['SecretValues']).map(toSecret)) {
        // The filter of names does not look at their case.
        if (secret.name?.startsWith(prefix)) fields[secret.name.slice(prefix.length)] = fieldOf(secret.value);
      }
    }
    return fields;
  }

  return {
    readValue,
    read: (id, choice, request) =>
      choice.versionId === undefined && choice.stage === undefined
        ? batcher.ask(id, request)
        : readOne(id, choice, request),
    readAll,
  };
}

function fieldOf(value: Buffer): JsonValue {
  return jsonFields(value) ?? value.toString('utf8');
}

function toSecret(answer: JsonObject): AwsSecret {
  const { SecretString: text, SecretBinary: binary } = answer;
  const word = (name: string) => {
    const value = answer[name];
    return typeof value === 'string' ? value : undefined;
  };
  const value =
    typeof text === 'string'
      ? Buffer.from(text, 'utf8')
      : Buffer.from(typeof binary === 'string' ? binary : '', 'base64');
  return { value, versionId: word('VersionId'), arn: word('ARN'), name: word('Name') };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** By the start of the name, by a tag, or by both. */
function filtersOf(prefix: string, tag: string | undefined): JsonObject[] {
  const [tagKey, tagValue] = tag?.split('=', 2) ?? [];
  const filters = [
    ...(prefix === '' ? [] : [{ Key: 'name', Values: [prefix] }]),
    ...(tagKey === undefined ? [] : [{ Key: 'tag-key', Values: [tagKey] }]),
    ...(tagValue === undefined ? [] : [{ Key: 'tag-value', Values: [tagValue] }]),
  ];
  if (filters.length === 0)
    throw new LatchkeyError(
      'request_invalid',
      'all secrets of an account are no secret: expected a prefix or a tag',
    );
  return filters;
}
