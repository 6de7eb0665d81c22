// What every credential helper needs: the secret by name from the agent, its fields and its end.
import { pathOf, routes } from '../../api/routes.ts';
import type { RefusedAnswer, SecretAnswer } from '../../api/secrets.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { isJsonObject, JsonNumber, type JsonObject, parseJson } from '../../base/text/json.ts';
import { askAgentOrThrow, getFromAgent } from '../../client/local-client.ts';

export interface HelperSecret {
  readonly name: string;
  readonly fields: JsonObject;
  readonly expiresAt: SecretAnswer['expires_at'];
}

export interface HelperContext {
  readonly socketPath: string;
  /** `--secret`, else the positional name. */
  readonly secret: string | undefined;
  /** `--host`: what the credential is for; else the secret's own `host`, `server` or `url`. */
  readonly host: string | undefined;
  readonly input: string;
  readonly env: NodeJS.ProcessEnv;
}

export async function fetchSecret({ socketPath, secret }: HelperContext): Promise<HelperSecret> {
  if (secret === undefined) throw new LatchkeyError('usage', 'helper: which secret? name it with --secret');
  const answer = await getFromAgent({ socketPath, path: pathOf(routes.secret, secret) });
  const body = parseJson(answer.body.toString('utf8'));
  const fields = isJsonObject(body) ? body['data'] : undefined;
  if (!isJsonObject(body) || !isJsonObject(fields))
    throw new LatchkeyError('internal', 'the agent did not answer with a secret');
  const expiresAt = body['expires_at'];
  return { name: secret, fields, expiresAt: typeof expiresAt === 'string' ? expiresAt : null };
}

/** Has upstream asked now, because a server refused the secret; says in a clause what came of it. */
export async function tellRefused(
  { socketPath }: HelperContext,
  { name }: HelperSecret,
  host: string,
): Promise<string> {
  const { method } = routes.refused;
  const answer = await askAgentOrThrow({ socketPath, method, path: pathOf(routes.refused, name) });
  const { outcome, error } = JSON.parse(answer.body.toString('utf8')) as RefusedAnswer;
  const refusal = `${host} refused it`;
  if (outcome === 'changed') return `${refusal}, and upstream had a newer one: try again`;
  if (outcome === 'same') return `${refusal}, and upstream has no other: it must be made again there`;
  if (outcome === 'recent') return `${refusal}, and upstream was asked a moment ago: try again`;
  return `${refusal}, and upstream could not be asked: ${error?.message ?? 'see the log of the agent'}`;
}

/** The first of these fields that is a text or a number, as text. */
export function textField(fields: JsonObject, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = fields[name];
    if (typeof value === 'string' && value !== '') return value;
    if (value instanceof JsonNumber) return value.text;
  }
  return undefined;
}

/** Throws `not_found` naming what is expected. */
export function requiredField(secret: HelperSecret, names: readonly string[]): string {
  const value = textField(secret.fields, names);
  if (value === undefined)
    throw new LatchkeyError('not_found', `secret ${secret.name} has no field ${names.join(' or ')}`);
  return value;
}

/** What a protocol has no place for, and the words for it. */
export interface Uncarried {
  readonly signs: RegExp;
  readonly what: string;
  readonly because: string;
}

/** Control characters end a header of HTTP, or make the whole request invalid (RFC 9110, 5.5). */
export const notInHeaders: Uncarried = {
  signs: /[\0-\x1f\x7f]/,
  what: 'a line break or another control character',
  because: 'the HTTP header in which it is sent',
};

/** The value, where the protocol can carry it: cut or sent on as it is it would be another one. */
export function carried(place: string, value: string, { signs, what, because }: Uncarried): string {
  if (!signs.test(value)) return value;
  throw new LatchkeyError('request_invalid', `helper ${place} has ${what}, which ${because} cannot carry`, {
    remedy: 'write it to the vault without, or use it in a file',
  });
}

/**
 * Whether the credential is for this host. A helper that answers for any host would hand the password to whatever
 * server a URL names, so the host must be written down: in the secret or with --host.
 */
export function isForHost(secret: HelperSecret, context: HelperContext, asked: string): boolean {
  const own = context.host ?? textField(secret.fields, ['host', 'server', 'url']);
  if (own === undefined) {
    throw new LatchkeyError('usage', `helper: for which host is secret ${secret.name}?`, {
      remedy: 'give the secret a field host, or use --host',
    });
  }
  if (hostOf(own) === hostOf(asked)) return true;
  if (withoutPort(hostOf(own)) !== withoutPort(hostOf(asked))) return false;
  throw new LatchkeyError(
    'denied',
    `helper: secret ${secret.name} is for ${hostOf(own)}, and ${hostOf(asked)} is another server`,
    { remedy: "if it is meant, put the port into the secret's host or into --host" },
  );
}

function withoutPort(host: string): string {
  return host.replace(/:\d+$/, '');
}

/** `https://registry.example:5000/v2/` is `registry.example:5000`; 443 is where they are without a port. */
function hostOf(text: string): string {
  return text
    .replace(/^[a-z]+:\/\//i, '')
    .replace(/[/?#].*$/, '')
    .replace(/^[^@]*@/, '')
    .replace(/:443$/, '')
    .toLowerCase();
}
