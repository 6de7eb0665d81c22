// The schema of `hooks`: who may say that secrets have changed, how they prove it, and which secrets are then asked for.
import * as z from 'zod/mini';
import { byteSize, choice, count, doc, duration, flag, section, text, textList } from './fields.ts';

const hmac = section({
  secret_file: doc(
    z.optional(text()),
    'The key that both sides know; 0600. More lines are more keys, for the time of a change.',
  ),
  secret: doc(z.optional(text()), 'Or a name from `secrets`, with one field as `NAME#FIELD`.'),
  key_encoding: doc(
    z.prefault(choice(['text', 'base64', 'hex']), 'text'),
    'How the key is written; `base64` takes `whsec_` before it.',
  ),
  header: doc(
    z.prefault(text(), 'X-Latchkey-Signature'),
    'The header with the signature, in hex or base64, with or without `sha256=`, `v1=` or `v1,` before it.',
  ),
  algorithm: doc(z.prefault(choice(['sha256', 'sha512']), 'sha256'), 'Of the HMAC.'),
  signed: doc(
    z.prefault(text(), '{timestamp}.{body}'),
    'What is signed: text with `{body}`, `{timestamp}` and `{id}`. Without `{timestamp}` a message can be sent again by whoever has seen it.',
  ),
  timestamp_header: doc(
    z.prefault(text(), 'X-Latchkey-Timestamp'),
    'The header with the time of signing, in seconds; a `t=` in the signature header goes before it.',
  ),
  id_header: doc(z.prefault(text(), 'webhook-id'), 'The header with what `{id}` stands for.'),
  tolerance: doc(
    z.prefault(duration(), '5m'),
    'How far that time may be from now; so long messages are known again.',
  ),
});

const jwt = section({
  jwks_url: doc(z.optional(text()), 'Where the issuer publishes its keys: https, or http on this host.'),
  jwks_file: doc(z.optional(text()), 'Or a file with them.'),
  issuer: doc(text(), 'The `iss` of the token.'),
  audience: doc(
    z.pipe(
      z.union([text(), textList()], 'a string or a list of strings'),
      z.transform((value) => (typeof value === 'string' ? [value] : value)),
    ),
    'The `aud` of the token, or several of which it has one.',
  ),
  claims: doc(
    z.prefault(z.record(text(), text(), 'a map of claims and their values'), {}),
    'Further claims and what they must be: the sender above all, such as `email` or `azp`.',
  ),
  header: doc(z.prefault(text(), 'Authorization'), 'The header with the token, with or without `Bearer`.'),
  once: doc(z.prefault(flag(), false), 'Each token is good for one request; it needs a `jti`.'),
  tolerance: doc(z.prefault(duration(), '1m'), 'How far the clocks may be apart.'),
});

export const hookSchema = section({
  hmac: doc(z.optional(hmac), 'Messages are signed with a key that both sides know.'),
  jwt: doc(z.optional(jwt), 'Or they bring a token of an issuer: Pub/Sub, Event Grid, EventBridge.'),
  refresh: doc(
    textList().check(z.minLength(1, 'at least one name')),
    'Names from `secrets` that are asked for then; `*` at the end of one stands for any rest.',
  ),
  max_body: doc(z.prefault(byteSize(), '64KiB'), 'The largest message that is taken.'),
  events_per_minute: doc(
    z.prefault(count(1), 30),
    'How often it makes upstream be asked; what comes beyond that is put together.',
  ),
  requests_per_minute: doc(
    z.prefault(count(1), 120),
    'How often one sender is heard: by address, on a unix socket by user.',
  ),
});

export type HookInput = z.output<typeof hookSchema>;
