// Verifies JWTs against public keys or a JWKS document, for the auth methods that take them. jose is loaded lazily.
import type { JWTPayload } from 'jose';
import { describeError } from '../../../../src/base/errors.ts';
import { badRequest } from '../vault-error.ts';

export interface JwtKeys {
  /** PEM texts. */
  publicKeys: readonly string[];
  jwksUrl: string;
}

export interface JwtExpectations {
  issuer?: string;
  audience?: readonly string[];
  subject?: string;
  /** Now, in milliseconds since 1970. */
  nowMs: number;
}

const algorithms = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'EdDSA'];
const leewaySeconds = 60;

/** The claims; refuses with what is wrong, never with the token. */
export async function verifyJwt(
  token: string,
  keys: JwtKeys,
  expected: JwtExpectations,
): Promise<JWTPayload> {
  const { jwtVerify, createRemoteJWKSet } = await import('jose');
  const options = {
    algorithms,
    clockTolerance: leewaySeconds,
    currentDate: new Date(expected.nowMs),
    ...(expected.issuer ? { issuer: expected.issuer } : {}),
    ...(expected.audience?.length ? { audience: [...expected.audience] } : {}),
    ...(expected.subject ? { subject: expected.subject } : {}),
  };
  try {
    if (keys.jwksUrl !== '') {
      // A fresh set each time: a rotated key is seen at once, and nothing is cached between tests.
      return (await jwtVerify(token, createRemoteJWKSet(new URL(keys.jwksUrl)), options)).payload;
    }
    return await verifyByKeys(token, keys.publicKeys, options);
  } catch (error) {
    throw badRequest(`error validating token: ${reasonOf(error)}`);
  }
}

async function verifyByKeys(
  token: string,
  publicKeys: readonly string[],
  options: object,
): Promise<JWTPayload> {
  const { jwtVerify, importSPKI, decodeProtectedHeader, errors } = await import('jose');
  const { alg = 'RS256' } = decodeProtectedHeader(token);
  for (const pem of publicKeys) {
    try {
      return (await jwtVerify(token, await importSPKI(pem, alg), options)).payload;
    } catch (error) {
      // Another key may fit; anything but the signature is final.
      const isOtherKey =
        error instanceof errors.JWSSignatureVerificationFailed ||
        error instanceof TypeError ||
        error instanceof DOMException;
      if (!isOtherKey) throw error;
    }
  }
  throw new Error('no known key successfully validated the token signature');
}

const claimReasons: Readonly<Record<string, string>> = {
  aud: 'invalid audience (aud) claim: audience claim does not match any expected audience',
  exp: 'invalid expiration time (exp) claim: token is expired',
  iss: 'invalid issuer (iss) claim',
  nbf: 'invalid not before (nbf) claim: token not yet valid',
  sub: 'invalid subject (sub) claim',
};

// In the words of the library that Vault uses.
function reasonOf(error: unknown): string {
  const { code, claim } = error as { code?: string; claim?: string };
  if (claim !== undefined) return claimReasons[claim] ?? `invalid ${claim} claim`;
  if (code === 'ERR_JWS_INVALID' || error instanceof TypeError) {
    return 'error verifying token signature: go-jose/go-jose: compact JWS format must have three parts';
  }
  return `error verifying token signature: ${describeError(error)}`;
}

/** A claim by name or by JSON pointer (`/a/b`). */
export function claimOf(claims: JWTPayload, name: string): unknown {
  if (!name.startsWith('/')) return claims[name];
  let value: unknown = claims;
  for (const part of name.slice(1).split('/')) value = (value as Record<string, unknown> | undefined)?.[part];
  return value;
}
