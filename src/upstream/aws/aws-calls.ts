// Requests to AWS's JSON services: signed with the identity of the moment, at the address of the region, with AWS's errors read.
import { AwsV4Signer } from 'aws4fetch';
import { errorCode, LatchkeyError } from '../../base/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../../base/text/json.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { RequestOptions } from '../../store/secret-reading.ts';
import { type AwsCredentials, signingKeys } from '../cloud/aws-keys.ts';
import type { IdentityKeeper } from '../cloud/identity-keeper.ts';
import type { Charge } from '../gate/allowance.ts';
import { UpstreamFailure } from '../gate/failure.ts';
import { checkStatus, type HttpAnswer, type HttpCalls, jsonBody } from '../kind/http-calls.ts';

export type AwsService = 'secretsmanager' | 'ssm' | 'sqs' | 'sts';

export interface AwsCalls {
  /** `action`: `secretsmanager.GetSecretValue`; `what` is what is asked for, for messages. */
  call(
    service: AwsService,
    action: string,
    body: object,
    what: string,
    request: RequestOptions,
  ): Promise<JsonObject>;
}

interface AwsCallsOptions {
  readonly http: HttpCalls;
  readonly identity: IdentityKeeper<AwsCredentials>;
  readonly clock: Clock;
  region(): string;
  endpointOf(service: AwsService): string;
}

const notThere =
  /^(?:ResourceNotFoundException|ParameterNotFound|ParameterVersionNotFound|QueueDoesNotExist)/;
const denied = /^(?:AccessDenied|DecryptionFailure|KMS|InvalidKeyId|NotAuthorized)/;
const throttled =
  /^(?:Throttling|ThrottlingException|RequestLimitExceeded|TooManyRequestsException|Throttled|RequestThrottled)/;
const badCredentials =
  /^(?:ExpiredToken|UnrecognizedClient|InvalidClientTokenId|InvalidSignature|SignatureDoesNotMatch|RequestExpired|RequestTimeTooSkewed|IncompleteSignature|MissingAuthenticationToken|AuthFailure)/;

/** Less is no reason for a refusal. */
const skewMs = 240_000;

export function createAwsCalls(options: AwsCallsOptions): AwsCalls {
  const { http, identity, clock } = options;
  /** How far the clock of AWS is ahead of ours, where that matters. */
  let offsetMs = 0;

  async function send(
    service: AwsService,
    action: string,
    text: string,
    keys: AwsCredentials,
    request: RequestOptions,
  ) {
    const signed = await new AwsV4Signer({
      url: options.endpointOf(service),
      method: 'POST',
      body: text,
      service,
      region: options.region(),
      ...signingKeys(keys),
      datetime: new Date(clock.wall() + offsetMs).toISOString().replace(/[:-]|\.\d{3}/g, ''),
      headers: {
        'content-type': service === 'sqs' ? 'application/x-amz-json-1.0' : 'application/x-amz-json-1.1',
        'x-amz-target': action,
      },
    }).sign();
    const headers = Object.fromEntries([...signed.headers].filter(([name]) => name !== 'host'));
    return await http.send(
      {
        ...{ method: 'POST', url: options.endpointOf(service), headers, body: text },
        // A queue is asked to answer once there is something.
        ...{ charge: chargeOf(service), isHarmless: service !== 'sqs' },
      },
      request,
    );
  }

  /** Whether its clock tells that ours is wrong: then the next signature says its time. */
  function learnClock({ headers }: HttpAnswer): boolean {
    const ahead = Date.parse(headers.date ?? '') - clock.wall();
    if (Number.isNaN(ahead) || Math.abs(ahead - offsetMs) < skewMs) return false;
    offsetMs = Math.abs(ahead) < skewMs ? 0 : ahead;
    return true;
  }

  return {
    async call(service, action, body, what, request) {
      const text = JSON.stringify(body);
      const keys = await identity.get(request.signal);
      const answer = await send(service, action, text, keys, request);
      const refusal = awsError(answer);
      if (refusal === undefined || !badCredentials.test(refusal)) return checked(answer, refusal, what);
      if (!learnClock(answer)) identity.forget(keys);
      const again = await send(service, action, text, await identity.get(request.signal), request);
      return checked(again, awsError(again), what);
    },
  };
}

/** Until one names no next; an empty page that does is a page. Throws `request_invalid` with `tooMany`. */
export async function* pagesOf(
  ask: (token: { readonly NextToken?: string }) => Promise<JsonObject>,
  most: number,
  tooMany: string,
): AsyncGenerator<JsonObject, void> {
  let token = {};
  for (let page = 0; page < most; page += 1) {
    const answer = await ask(token);
    yield answer;
    const { NextToken } = answer;
    if (typeof NextToken !== 'string' || NextToken === '') return;
    token = { NextToken };
  }
  throw new LatchkeyError('request_invalid', tooMany);
}

/** `ResourceNotFoundException`; undefined where it is no error. */
function awsError(answer: HttpAnswer): string | undefined {
  if (answer.status < 300) return undefined;
  const header = answer.headers['x-amzn-errortype'];
  const type = typeof header === 'string' ? header : typeIn(answer.body);
  return type?.replace(/:.*$/s, '').replace(/^.*#/s, '').slice(0, 100);
}

function typeIn(body: Buffer): string | undefined {
  let value: JsonValue;
  try {
    value = parseJson(body.toString('utf8'));
  } catch {
    return undefined;
  }
  const type = isJsonObject(value) ? value['__type'] : undefined;
  return typeof type === 'string' ? type : undefined;
}

function checked(answer: HttpAnswer, type: string | undefined, what: string): JsonObject {
  if (type === undefined || type === '') {
    checkStatus(answer, what);
    return jsonBody(answer);
  }
  throw asError(type, answer, what);
}

function asError(type: string, answer: HttpAnswer, what: string): unknown {
  if (throttled.test(type)) {
    try {
      checkStatus({ ...answer, status: 429 }, what, type);
    } catch (error) {
      return error;
    }
  }
  if (badCredentials.test(type)) {
    return new LatchkeyError('login_failed', `AWS does not accept the credentials (${type})`, {
      remedy: 'check the keys, and the clock of this host',
    });
  }
  if (answer.status >= 500 || /^(?:Internal|ServiceUnavailable)/.test(type)) {
    return new UpstreamFailure('unavailable', `${answer.where} answers ${answer.status} (${type})`, {
      status: answer.status,
      wasSent: true,
    });
  }
  return errorOfType(type, what);
}

/** Of one secret alone; also what a batch says of one of its members. */
export function errorOfType(type: string, what: string): LatchkeyError {
  if (notThere.test(type)) return new LatchkeyError('not_found', `AWS has no ${what} (${type})`);
  if (denied.test(type)) {
    return new LatchkeyError('denied', `AWS does not allow to read ${what} (${type})`, {
      remedy: 'check the policy of the identity, of the secret and of its KMS key',
    });
  }
  // Above all: it is about to be deleted.
  if (type === 'InvalidRequestException')
    return new LatchkeyError(
      'not_found',
      `AWS does not give ${what} out: it is marked for deletion (${type})`,
    );
  return new LatchkeyError('request_invalid', `AWS refuses the request for ${what} (${type})`);
}

/** Queues and roles are not limited with the secrets. */
function chargeOf(service: AwsService): Charge {
  return { meter: service, units: service === 'ssm' || service === 'secretsmanager' ? 1 : 0 };
}

/** Whether the request itself was refused, not what it asked for. */
export function isDenied(error: unknown): boolean {
  return errorCode(error) === 'denied';
}
