// An issuer of signed tokens with its keys at a URL, as clusters and clouds have them.
import { exportJWK, exportPKCS8, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import type { Test } from 'tap';
import { type StubVault, startStubVault } from './stub-vault.ts';

export interface TokenIssuer {
  readonly jwksUrl: string;
  /** PKCS 8, PEM. */
  readonly privateKey: string;
  /** The HTTP server, for more routes. */
  readonly server: StubVault;
  sign(claims: JWTPayload): Promise<string>;
}

export async function startTokenIssuer(t: Test): Promise<TokenIssuer> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'key-1', alg: 'RS256', use: 'sig' };
  const server = await startStubVault();
  t.teardown(server.close);
  server.route((request) => (request.url === '/jwks' ? { json: { keys: [jwk] } } : undefined));
  return {
    jwksUrl: `${server.address}/jwks`,
    privateKey: await exportPKCS8(privateKey),
    server,
    sign: async (claims) =>
      await new SignJWT({
        ...claims,
        ...(claims.exp === undefined ? { exp: Math.floor(Date.now() / 1000) + 600 } : {}),
      })
        .setProtectedHeader({ alg: 'RS256', kid: 'key-1' })
        .setIssuedAt()
        .sign(privateKey),
  };
}
