// Hooks as the agent uses them, and what of them cannot be right.
import { isLoopback } from '../../base/system/local-address.ts';
import type { Named } from '../item.ts';
import type { Place } from '../problems.ts';
import type { HmacProofConfig, HookConfig, JwtProofConfig, ListenerConfig } from '../resolved.ts';
import type { HookInput } from '../schema/hook-schema.ts';
import { checkNamePattern } from './name-pattern.ts';
import { oneOfKeys } from './one-of-keys.ts';
import { checkKnown, type ResolveContext } from './resolve-context.ts';

export function resolveHooks(
  hooks: readonly Named<HookInput>[],
  listeners: readonly ListenerConfig[],
  context: ResolveContext,
): HookConfig[] {
  const [first] = hooks;
  const isServed = listeners.some(({ serve }) => serve.includes('hooks'));
  // A listener that is wrong itself has been told of.
  if (first !== undefined && !isServed && listeners.length === context.names.listenerCount) {
    context.problems.add(
      first.place,
      'no listener takes it; add one with `serve: [hooks]`, or hooks to the `serve` of another',
      'key',
    );
  }
  return hooks.flatMap((hook) => resolveHook(hook, context) ?? []);
}

function resolveHook(
  { name, value, place }: Named<HookInput>,
  context: ResolveContext,
): HookConfig | undefined {
  for (const [index, pattern] of value.refresh.entries())
    checkNamePattern(pattern, place.at('refresh', index), context);
  oneOfKeys(context.problems, place, value, ['hmac', 'jwt']);
  const proof =
    value.hmac === undefined
      ? value.jwt && resolveJwt(value.jwt, place.at('jwt'), context)
      : resolveHmac(value.hmac, place.at('hmac'), context);
  return (
    proof && {
      name,
      proof,
      refresh: value.refresh,
      maxBodyBytes: value.max_body,
      eventsPerMinute: value.events_per_minute,
      requestsPerMinute: value.requests_per_minute,
    }
  );
}

function resolveHmac(
  value: Exclude<HookInput['hmac'], undefined>,
  place: Place,
  context: ResolveContext,
): HmacProofConfig {
  oneOfKeys(context.problems, place, value, ['secret_file', 'secret']);
  const [name, field] = value.secret?.split('#', 2) ?? [];
  if (name !== undefined)
    checkKnown(context.problems, place.at('secret'), 'secret', name, context.names.secrets);
  const words = [...value.signed.matchAll(/\{([^}]*)\}/g)].map(([, word]) => word);
  if (!words.includes('body') || words.some((word) => !/^(?:body|timestamp|id)$/.test(word ?? ''))) {
    context.problems.add(
      place.at('signed'),
      'expected text with {body}, and of {timestamp} and {id} what the sender signs',
    );
  }
  return {
    kind: 'hmac',
    secretFile: context.optionalPathAt(place, value.secret_file),
    secret: name === undefined ? undefined : { name, field },
    keyEncoding: value.key_encoding,
    header: value.header.toLowerCase(),
    algorithm: value.algorithm,
    signed: value.signed,
    timestampHeader: value.timestamp_header.toLowerCase(),
    idHeader: value.id_header.toLowerCase(),
    toleranceMs: value.tolerance,
  };
}

function resolveJwt(
  value: Exclude<HookInput['jwt'], undefined>,
  place: Place,
  context: ResolveContext,
): JwtProofConfig {
  oneOfKeys(context.problems, place, value, ['jwks_url', 'jwks_file']);
  const url = value.jwks_url === undefined ? undefined : URL.parse(value.jwks_url);
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname));
  if (value.jwks_url !== undefined && !isSafe) {
    context.problems.add(
      place.at('jwks_url'),
      'expected a URL that starts with https://: whoever can change the keys can sign',
    );
  }
  if (value.audience.length === 0) context.problems.add(place.at('audience'), 'expected at least one');
  return {
    kind: 'jwt',
    jwksUrl: value.jwks_url,
    jwksFile: context.optionalPathAt(place, value.jwks_file),
    issuer: value.issuer,
    audience: value.audience,
    claims: value.claims,
    header: value.header.toLowerCase(),
    isOnce: value.once,
    toleranceMs: value.tolerance,
  };
}
