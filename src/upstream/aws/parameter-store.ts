// Parameter Store: parameters by name, version or label, ten in a request, and all of a path.

import { LatchkeyError } from '../../base/errors.ts';
import { JsonNumber, type JsonObject, objectsIn } from '../../base/text/json.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { RequestOptions } from '../../store/secret-reading.ts';
import { createBatcher } from '../kind/batcher.ts';
import { type AwsCalls, pagesOf } from './aws-calls.ts';

export interface AwsParameter {
  readonly value: string;
  readonly version: string | undefined;
  readonly arn: string | undefined;
}

export interface ParameterStore {
  /** `name`, `name:3` or `name:label`. */
  read(name: string, request: RequestOptions): Promise<AwsParameter>;
  /** By the rest of their names after `path`. */
  readAll(path: string, request: RequestOptions): Promise<JsonObject>;
}

/** The most of GetParameters and of a page of GetParametersByPath. */
const mostInBatch = 10;
const mostPages = 200;

export function createParameterStore({ call }: AwsCalls, clock: Clock): ParameterStore {
  const batcher = createBatcher<AwsParameter>({
    clock,
    most: mostInBatch,
    async run(names, request) {
      const body = { Names: names, WithDecryption: true };
      const answer = await call(
        'ssm',
        'AmazonSSM.GetParameters',
        body,
        `parameter ${names.join(', ')}`,
        request,
      );
      const found = objectsIn(answer['Parameters']);
      return new Map<string, AwsParameter | Error>(
        names.map((name) => {
          const one = found.find((parameter) => isNamed(parameter, name));
          return [
            name,
            one === undefined
              ? new LatchkeyError('not_found', `AWS has no parameter ${name}`)
              : toParameter(one),
          ];
        }),
      );
    },
  });

  return {
    read: batcher.ask,
    async readAll(path, request) {
      const body = {
        Path: path.replace(/(.)\/$/, '$1'),
        ...{ Recursive: true, WithDecryption: true, MaxResults: mostInBatch },
      };
      const pages = pagesOf(
        (token) =>
          call(
            'ssm',
            'AmazonSSM.GetParametersByPath',
            { ...body, ...token },
            `the parameters ${path}*`,
            request,
          ),
        mostPages,
        `there are more than ${mostPages * mostInBatch} parameters ${path}*`,
      );
      const fields: JsonObject = {};
      for await (const page of pages) {
        for (const parameter of objectsIn(page['Parameters'])) {
          const { Name: name } = parameter;
          if (typeof name === 'string') fields[name.slice(path.length)] = toParameter(parameter).value;
        }
      }
      return fields;
    },
  };
}

/** A version or label is asked for behind a colon, and is beside the name in the answer. */
function isNamed(parameter: JsonObject, wanted: string): boolean {
  const { Name: name, Selector: selector, ARN: arn, Version: version } = parameter;
  if (name === wanted || arn === wanted) return typeof selector !== 'string' || selector === '';
  const [, plain, choice = ''] = /^(\/?[^:]+):([^:]+)$/.exec(wanted) ?? [];
  if (plain === undefined || name !== plain) return false;
  if (typeof selector === 'string') return selector === `:${choice}`;
  return !/^\d+$/.test(choice) || (version instanceof JsonNumber && version.text === choice);
}

function toParameter({ Value: value, Version: version, ARN: arn }: JsonObject): AwsParameter {
  return {
    value: typeof value === 'string' ? value : '',
    version: version instanceof JsonNumber ? version.text : undefined,
    arn: typeof arn === 'string' ? arn : undefined,
  };
}
