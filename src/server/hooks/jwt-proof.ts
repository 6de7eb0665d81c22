// Whether a message brings a token of the issuer that its hook trusts. The library is loaded with the first such message.
import type { JWTVerifyGetKey } from 'jose';
import { LatchkeyError } from '../../base/errors.ts';
import { readControlledFile } from '../../base/paths/controlled-file.ts';
import type { FaultOf } from '../../base/surroundings.ts';
import type { JwtProofConfig } from '../../config/resolved.ts';
import type { SignedMessage, Verdict } from './hmac-policy.ts';

export interface JwtProof {
  verify(message: SignedMessage, wallMs: number): Promise<Verdict>;
}

/** No key that both sides know, and none at all: whoever can read the published keys could sign. */
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const longestToken = 16 * 1024;
const fileFreshMs = 10_000;

export function createJwtProof(config: JwtProofConfig, faultOf?: FaultOf): JwtProof {
  let remote: JWTVerifyGetKey | undefined;
  let read: { at: number; keys: Promise<JWTVerifyGetKey> } | undefined;

  async function keysFrom(path: string): Promise<JWTVerifyGetKey> {
    const { bytes } = await readControlledFile(path, { faultOf, role: 'keys' });
    const { createLocalJWKSet } = await import('jose');
    return createLocalJWKSet(JSON.parse(bytes.toString('utf8')));
  }

  /** Of the issuer: kept for ten minutes, and asked for again, twice a minute at most, when a key is not among them. */
  async function keys(wallMs: number): Promise<JWTVerifyGetKey> {
    const { jwksFile, jwksUrl } = config;
    if (jwksFile === undefined) {
      const { createRemoteJWKSet } = await import('jose');
      remote ??= createRemoteJWKSet(new URL(jwksUrl ?? ''), {
        timeoutDuration: 5000,
        cooldownDuration: 30_000,
      });
      return remote;
    }
    if (read === undefined || wallMs - read.at > fileFreshMs) read = { at: wallMs, keys: keysFrom(jwksFile) };
    return await read.keys;
  }

  return {
    async verify(message, wallMs) {
      const shown = message.header(config.header)?.replace(/^bearer +/i, '');
      if (shown === undefined) return { isGood: false, why: `no header ${config.header}` };
      if (shown.length > longestToken) return { isGood: false, why: 'the token is too long' };
      const { jwtVerify } = await import('jose');
      try {
        const { payload } = await jwtVerify(shown, await keys(wallMs), {
          ...{ algorithms, issuer: config.issuer, audience: [...config.audience] },
          ...{ requiredClaims: config.isOnce ? ['exp', 'jti'] : ['exp'] },
          ...{ clockTolerance: config.toleranceMs / 1000, currentDate: new Date(wallMs) },
        });
        const other = Object.keys(config.claims).find((claim) => !has(payload[claim], config.claims[claim]));
        if (other !== undefined) return { isGood: false, why: `the claim ${other} is not what it must be` };
        const untilMs = (payload.exp ?? 0) * 1000 + config.toleranceMs;
        return {
          isGood: true,
          mark: config.isOnce ? `${payload.iss} ${payload.jti}` : undefined,
          untilMs,
          isCoarse: false,
        };
      } catch (error) {
        return { isGood: false, why: reasonOf(error) };
      }
    },
  };
}

/** `true` is said as `"true"`. */
function has(claim: unknown, expected: string | undefined): boolean {
  if (Array.isArray(claim)) return claim.includes(expected);
  return typeof claim === 'object' ? false : String(claim) === expected;
}

/** The library's code, which quotes nothing of the token. */
function reasonOf(error: unknown): string {
  const { code, claim } = error as { code?: unknown; claim?: unknown };
  if (typeof code !== 'string' || error instanceof LatchkeyError)
    return 'the keys of the issuer cannot be had';
  const of = typeof claim === 'string' && /^\w{1,20}$/.test(claim) ? ` (${claim})` : '';
  return `the token is not good: ${code}${of}`;
}
