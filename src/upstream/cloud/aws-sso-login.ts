// The login that `aws sso login` has left in its cache, refreshed shortly before its end as AWS's own tools do it: the new one
// goes into the cache in place of the old, which may be good for nothing afterwards, so that those tools go on too.
import { createHash } from 'node:crypto';
import { access, constants } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describeError, LatchkeyError } from '../../base/errors.ts';
import { type ControlledFile, readControlledFile, TrustFault } from '../../base/paths/controlled-file.ts';
import { holdFolder } from '../../base/paths/held-folder.ts';
import { trusting } from '../../base/paths/path-trust.ts';
import { replaceFile } from '../../base/paths/replace-file.ts';
import { isJsonObject, JsonNumber, type JsonObject, parseJson, stringifyJson } from '../../base/text/json.ts';
import type { AwsCredentialSource } from './aws-keys.ts';
import { metadataJson } from './metadata-request.ts';
import { homeFolder } from './profile-file.ts';

interface LoginOptions extends Pick<AwsCredentialSource, 'env' | 'signal' | 'faultOf'> {
  /** Of the portal. */
  readonly region: string;
  readonly remedy: string;
}

interface CachedLogin extends Pick<ControlledFile, 'bytes' | 'stats'> {
  readonly path: string;
  readonly fields: JsonObject;
  readonly token: string;
  /** Wall time. */
  readonly endsAt: number;
}

/** As botocore has it. */
const windowMs = 15 * 60_000;
/** By path: upstreams of one login refresh it once. */
const refreshing = new Map<string, Promise<string>>();

/** `key` names it in the cache: the session of the profile, or its start URL. Throws `login_failed`. */
export async function ssoToken(key: string, options: LoginOptions): Promise<string> {
  const { env, remedy } = options;
  const name = createHash('sha1').update(key).digest('hex');
  const path = join(homeFolder(env), '.aws/sso/cache', `${name}.json`);
  const under = refreshing.get(path);
  if (under !== undefined) return await under;
  const login = await readLogin(path, options);
  const leftMs = login.endsAt - Date.now();
  if (leftMs > windowMs) return login.token;
  const ended = new LatchkeyError('login_failed', 'the login of AWS IAM Identity Center has ended', {
    remedy,
  });
  const fault = await refreshFault(login);
  if (fault !== undefined) {
    if (leftMs > 0) return login.token;
    throw fault === '' ? ended : new LatchkeyError('login_failed', `${ended.message}, ${fault}`, { remedy });
  }
  const asked = (refreshing.get(path) ?? refresh(login, options)).finally(() => refreshing.delete(path));
  refreshing.set(path, asked);
  try {
    return await asked;
  } catch (error) {
    options.signal.throwIfAborted();
    if (leftMs > 0) return login.token;
    throw new LatchkeyError('login_failed', `${ended.message}: ${describeError(error)}`, {
      cause: error,
      remedy,
    });
  }
}

async function readLogin(path: string, { remedy, faultOf }: LoginOptions): Promise<CachedLogin> {
  let file: ControlledFile | undefined;
  let fields: unknown;
  try {
    file = await readControlledFile(path, { faultOf });
    fields = parseJson(file.bytes.toString('utf8'));
  } catch (error) {
    if (error instanceof TrustFault) throw new LatchkeyError('login_failed', error.message, { cause: error });
    // It is not there, or half-written: the same to us. The parser's error would quote a token.
  }
  if (file !== undefined && isJsonObject(fields)) {
    const { accessToken: token, expiresAt } = fields;
    if (typeof token === 'string' && typeof expiresAt === 'string')
      return { path, fields, token, endsAt: timeOf(expiresAt), bytes: file.bytes, stats: file.stats };
  }
  throw new LatchkeyError('login_failed', `there is no login of AWS IAM Identity Center at ${path}`, {
    remedy,
  });
}

/** Why it cannot be refreshed, or not without harm to whoever logged in; empty: it was not made to be. */
async function refreshFault({ path, fields, stats }: CachedLogin): Promise<string | undefined> {
  const { refreshToken, clientId, clientSecret, registrationExpiresAt: until } = fields;
  if (![refreshToken, clientId, clientSecret].every((one) => typeof one === 'string')) return '';
  if (typeof until === 'string' && !(timeOf(until) > Date.now()))
    return 'and so has the registration that refreshes it';
  if (stats.uid !== process.geteuid?.()) return `and ${path} is another user's to refresh`;
  return (await isOurs(dirname(path))) ? undefined : `and a fresh one cannot be kept in ${dirname(path)}`;
}

/** As it is written to later: where others have a hand in the folder nothing is. */
async function isOurs(folder: string): Promise<boolean> {
  try {
    await access(folder, constants.W_OK);
    (await holdFolder(folder, { trust: trusting() })).release();
    return true;
  } catch {
    return false; // whatever the reason
  }
}

/** OAuth's refresh, by the client that logged in (CreateToken of sso-oidc). */
async function refresh(login: CachedLogin, { env, region, remedy, signal }: LoginOptions): Promise<string> {
  const { clientId, clientSecret, refreshToken } = login.fields;
  const base =
    env['AWS_ENDPOINT_URL_SSO_OIDC'] ??
    `https://oidc.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
  const service = 'AWS IAM Identity Center, asked to refresh its login,';
  const answer = await metadataJson({
    service,
    url: `${base.replace(/\/+$/, '')}/token`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: stringifyJson({
      ...{ grantType: 'refresh_token' },
      ...{ clientId: clientId ?? '', clientSecret: clientSecret ?? '', refreshToken: refreshToken ?? '' },
    }),
    remedy,
    signal,
  });
  const { accessToken, expiresIn, refreshToken: next } = answer;
  const seconds = expiresIn instanceof JsonNumber ? Number(expiresIn.text) : Number.NaN;
  if (typeof accessToken !== 'string' || !(seconds > 0))
    throw new LatchkeyError('login_failed', `${service} answers without a token`, { remedy });
  const expiresAt = new Date(Date.now() + seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
  await keep(login, { accessToken, expiresAt, ...(typeof next === 'string' ? { refreshToken: next } : {}) });
  return accessToken;
}

/** Who has logged in again meanwhile has the newer one. */
async function keep({ path, bytes, fields, stats }: CachedLogin, fresh: JsonObject): Promise<void> {
  const now = await readControlledFile(path).catch(() => undefined); // gone: whoever removed it wants it so
  if (now?.bytes.equals(bytes) !== true) return;
  const text = stringifyJson({ ...fields, ...fresh });
  await replaceFile(path, text, { mode: stats.mode & 0o777 }).catch(() => undefined); // the token is good all the same
}

/** Older tools write `2026-01-01T00:00:00UTC`. */
function timeOf(text: string): number {
  return Date.parse(text.replace(/UTC$/, 'Z'));
}
