// How Vault takes back what it issued without a lease: which of its paths is asked with what, or why nothing can be. Pure.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../base/text/json.ts';
import type { Reference } from '../../../store/reference.ts';
import {
  parseBody,
  type SecretAnswer,
  type SecretVersion,
  secretFields,
} from '../../../store/secret-version.ts';
import type { Mount } from './kv-path-policy.ts';

/** One path, and the bodies that name the same thing to it in turn. */
export interface RevocationStep {
  readonly path: string;
  readonly bodies: readonly JsonObject[];
}

export type Revocation =
  /** The first step that is neither refused nor unknown to the server ends it. */
  | {
      readonly how: 'asked';
      readonly steps: readonly RevocationStep[];
      /** Why it may be good all the same where the server does not have it any more; absent: then it is over. */
      readonly whyIfGone?: string;
    }
  /** `why`: the end of a sentence, with what helps. */
  | { readonly how: 'none'; readonly why: string };

/** `isOwnToken`: the agent itself is logged in with it; what renews that answers with it too. */
export function revocationOf(
  reference: Reference,
  mount: Mount | undefined,
  answer: SecretAnswer,
  isOwnToken: (token: string) => boolean = () => false,
): Revocation {
  const body = parseBody(answer);
  const fields = secretFields(answer);
  return (
    ofToken(reference, body['auth'], isOwnToken) ??
    ofWrapping(reference, body['wrap_info']) ??
    ofSecretId(reference, fields) ??
    ofSignedKey(fields) ??
    ofCertificate(reference, mount, fields) ??
    ofSession(fields) ?? { how: 'none', why: otherwise(reference, fields) }
  );
}

/** The path that takes back what a write to this one makes, as far as that can be told before; undefined: none. */
export function revocationPathOf(reference: Reference, mount: Mount | undefined): string | undefined {
  const { operation, path } = reference;
  if (operation !== 'write') return undefined;
  if (/(?:^|\/)auth\/token\/create(?:-orphan)?(?:\/|$)/.test(path))
    return `${namespaceOf(reference)}${tokenRevocation}`;
  const role = secretIds.exec(path)?.[1];
  if (role !== undefined) return `${role}/${secretIdRevocation}`;
  if (mount?.type !== 'pki' || !issuing.test(path)) return undefined;
  return `${mount.prefix}${path.slice(mount.prefix.length).includes('issue/') ? 'revoke-with-key' : 'revoke'}`;
}

/** Of what has a lease: what its revocation does not end. */
export function whyOutlives(answer: SecretAnswer): string | undefined {
  return ofSession(secretFields(answer))?.why;
}

/** How another value comes of what is only stored, or rotated by a plan: the end of a sentence. */
export function howToReplace(
  { path }: Reference,
  mount: Mount | undefined,
  { kind, content, versionId }: SecretVersion,
): string {
  const rest = mount === undefined ? path : path.slice(mount.prefix.length);
  const role = /^static-creds?\/(.+)$/.exec(rest)?.[1];
  if (kind === 'rotating' && mount !== undefined && role !== undefined)
    return `the vault rotates it for all who use it: \`vault write -f ${mount.prefix}rotate-role/${role}\``;
  const write = `write another value to "${path}"`;
  if (content.form !== 'vault' || content.shape !== 'kv2' || versionId === undefined) return write;
  return `${write}; of a leaked one destroy version ${versionId} then`;
}

const tokenRevocation = 'auth/token/revoke-accessor';
const secretIds = /^(.*\/role\/[^/]+)\/(?:custom-)?secret-id$/;
const secretIdRevocation = 'secret-id-accessor/destroy';

/** Accounts for the namespace that a path may begin with: `team/auth/token/create` → `team/`. */
function namespaceOf({ path }: Reference): string {
  return /^(?:(.*?)\/)?(?:auth|sys)\//.exec(path)?.[1]?.concat('/') ?? '';
}

function byAccessor(reference: Reference, accessor: string) {
  const path = `${namespaceOf(reference)}${tokenRevocation}`;
  return { how: 'asked', steps: [{ path, bodies: [{ accessor }] }] } as const;
}

function ofToken(
  reference: Reference,
  auth: JsonValue | undefined,
  isOwnToken: (token: string) => boolean,
): Revocation | undefined {
  if (!isJsonObject(auth) || !isText(auth['client_token'])) return undefined;
  if (isOwnToken(auth['client_token']))
    return { how: 'none', why: 'the agent itself is logged in with this token' };
  if (isText(auth['accessor'])) return byAccessor(reference, auth['accessor']);
  return { how: 'none', why: 'a batch token cannot be revoked: it ends with its ttl, or with its parent' };
}

/** What is wrapped was made too; whoever has opened the wrapping has it. */
function ofWrapping(reference: Reference, wrapping: JsonValue | undefined): Revocation | undefined {
  if (!isJsonObject(wrapping) || !isText(wrapping['token'])) return undefined;
  const { accessor, wrapped_accessor: wrapped } = wrapping;
  if (isText(wrapped)) return byAccessor(reference, wrapped);
  const whyIfGone = 'its wrapping was opened already: whoever did so has what was in it';
  if (isText(accessor)) return { ...byAccessor(reference, accessor), whyIfGone };
  return { how: 'none', why: 'a wrapping token without an accessor cannot be revoked: it ends with its ttl' };
}

function ofSecretId({ path }: Reference, fields: JsonObject): Revocation | undefined {
  const role = secretIds.exec(path)?.[1];
  const { secret_id_accessor: accessor } = fields;
  if (role === undefined || !isText(accessor)) return undefined;
  const destroy = `${role}/${secretIdRevocation}`;
  return { how: 'asked', steps: [{ path: destroy, bodies: [{ secret_id_accessor: accessor }] }] };
}

function ofSignedKey(fields: JsonObject): Revocation | undefined {
  if (!isText(fields['signed_key'])) return undefined;
  const serial = isText(fields['serial_number']) ? ` ${fields['serial_number']}` : '';
  const why = `a vault revokes no SSH certificates: add its serial number${serial} to the RevokedKeys of the servers that trust it`;
  return { how: 'none', why };
}

const issuing = /^(.*?)\/(?:issuer\/[^/]+\/)?(?:issue|sign|sign-verbatim|sign-intermediate)(?:\/|$)/;

/**
 * With the key where there is one: that takes no right to revoke what others were issued. Each step by serial number, and by
 * the certificate itself where the vault does not store what the role issues (`no_store`).
 */
function ofCertificate(
  { path }: Reference,
  mount: Mount | undefined,
  fields: JsonObject,
): Revocation | undefined {
  const prefix = mount?.type === undefined ? issuing.exec(path)?.[1]?.concat('/') : mount.prefix;
  const isOfPki = mount?.type === undefined || mount.type === 'pki';
  const certificate = readCertificate(fields['certificate']);
  const serial = isText(fields['serial_number']) ? fields['serial_number'] : serialOf(certificate);
  if (!isOfPki || prefix === undefined || serial === undefined) return undefined;
  const names: JsonObject[] = [
    { serial_number: serial },
    ...(certificate === undefined ? [] : [{ certificate: certificate.toString() }]),
  ];
  const key = keyPem(fields['private_key']);
  const withKey = (name: JsonObject): JsonObject => ({ ...name, private_key: key ?? '' });
  const steps = [{ path: `${prefix}revoke`, bodies: names }];
  if (key !== undefined) steps.unshift({ path: `${prefix}revoke-with-key`, bodies: names.map(withKey) });
  return { how: 'asked', steps };
}

/** The first of a bundle: PEM, or DER in base64. */
function readCertificate(value: JsonValue | undefined): X509Certificate | undefined {
  if (!isText(value)) return undefined;
  const pem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(value)?.[0];
  try {
    return new X509Certificate(pem ?? Buffer.from(value, 'base64'));
  } catch {
    return undefined; // of another form: its serial number is told beside it
  }
}

/** As Vault spells them: pairs of digits with colons between. */
function serialOf(certificate: X509Certificate | undefined): string | undefined {
  return certificate?.serialNumber.toLowerCase().replace(/(..)(?=.)/g, '$1:');
}

function keyPem(value: JsonValue | undefined): string | undefined {
  if (!isText(value) || value.includes('-----BEGIN')) return isText(value) ? value : undefined;
  const key = Buffer.from(value, 'base64');
  for (const type of ['pkcs8', 'pkcs1', 'sec1'] as const) {
    try {
      return createPrivateKey({ key, format: 'der', type })
        .export({ type: 'pkcs8', format: 'pem' })
        .toString();
    } catch {
      // Of another type, or none that this OpenSSL reads.
    }
  }
  return undefined;
}

function ofSession(fields: JsonObject): { how: 'none'; why: string } | undefined {
  if (!isText(fields['security_token']) && !isText(fields['session_token'])) return undefined;
  return {
    how: 'none',
    why: 'AWS ends no session before its time: deny its role what was issued before now (aws:TokenIssueTime)',
  };
}

function otherwise({ path }: Reference, fields: JsonObject): string {
  const isSigned = ['token', 'access_token', 'id_token', 'jwt'].some((name) => isText(fields[name]));
  if (isSigned)
    return 'what is signed is good to its end: rotate the key that signs it, or lock its subject out';
  return `it has no lease, and the vault has no request that takes back what "${path}" made`;
}

function isText(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value !== '';
}
