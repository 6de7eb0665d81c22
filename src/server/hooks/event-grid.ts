// What Azure Event Grid asks before it sends events, in both of its schemas: whether they are wanted here.
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../../base/text/json.ts';
import type { SignedMessage } from './hmac-policy.ts';

/** The answer to the validation of Event Grid's own schema; undefined: the message is an event. */
export function validationAnswer({ header, body }: SignedMessage): JsonObject | undefined {
  if (header('aeg-event-type') !== 'SubscriptionValidation') return undefined;
  const [event] = listIn(body);
  const data = isJsonObject(event) ? event['data'] : undefined;
  const code = isJsonObject(data) ? data['validationCode'] : undefined;
  return typeof code === 'string' && code.length <= 200 ? { validationResponse: code } : undefined;
}

/** Headers that agree to CloudEvents from Event Grid; undefined: somebody else asks. */
export function agreement(
  { header }: Pick<SignedMessage, 'header'>,
  perMinute: number,
): string[] | undefined {
  const origin = header('webhook-request-origin');
  if (origin === undefined || !/^(?:[a-z0-9-]+\.)*eventgrid\.azure\.(?:net|com|us|cn)$/i.test(origin))
    return undefined;
  return [
    'WebHook-Allowed-Origin',
    origin,
    'WebHook-Allowed-Rate',
    String(perMinute),
    'Allow',
    'OPTIONS, POST',
  ];
}

function listIn(body: Buffer): readonly JsonValue[] {
  try {
    const value = parseJson(body.toString('utf8'));
    return Array.isArray(value) ? value : [];
  } catch {
    // It is no validation then.
    return [];
  }
}
