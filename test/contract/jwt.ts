import { exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { contract } from '../support/contract-server.ts';

const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
const stranger = await generateKeyPair('ES256');
const pem = await exportSPKI(publicKey);

function sign(claims: Record<string, unknown>, key = privateKey, expires = '5m'): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuedAt()
    .setIssuer('https://issuer.example')
    .setExpirationTime(expires)
    .sign(key);
}

contract('a JWT logs in when issuer, audience and claims are right', async (t, server) => {
  await server.ask('POST', 'sys/auth/jwt', { data: { type: 'jwt' } });
  t.equal(
    (
      await server.ask('POST', 'auth/jwt/config', {
        data: { jwt_validation_pubkeys: [pem], bound_issuer: 'https://issuer.example' },
      })
    ).status,
    server.dialect === 'vault' ? 204 : 204,
  );
  const role = {
    role_type: 'jwt',
    user_claim: 'sub',
    bound_audiences: ['vault'],
    bound_claims: { team: ['a', 'b'] },
    claim_mappings: { team: 'team' },
    token_policies: 'app',
    token_ttl: '10m',
  };
  await server.ask('POST', 'auth/jwt/role/app', { data: role });
  const login = async (jwt: string, name = 'app') =>
    server.ask('POST', 'auth/jwt/login', { token: '', data: { role: name, jwt } });
  const good = { sub: 'ann', aud: 'vault', team: 'a' };
  const { auth } = (await login(await sign(good))).body;
  t.match(auth, { policies: ['app', 'default'], lease_duration: 600, metadata: { role: 'app', team: 'a' } });
  t.equal((await login(await sign({ ...good, aud: 'other' }))).status, 400);
  t.strictSame((await login(await sign({ ...good, team: 'c' }))).body.errors, [
    'error validating claims: claim "team" does not match any associated bound claim values',
  ]);
  t.equal((await login(await sign(good, stranger.privateKey))).status, 400);
  t.equal((await login(await sign(good, privateKey, '-10m'))).status, 400);
  t.equal((await login('nonsense')).status, 400);
  t.equal((await login(await sign(good), 'nobody')).status, 400);
  t.equal((await server.ask('POST', 'auth/jwt/login', { token: '', data: { role: 'app' } })).status, 400);
  t.equal((await server.ask('POST', 'auth/jwt/login', { token: '', data: { jwt: 'x' } })).status, 400);
  t.equal((await login(await sign({ aud: 'vault', team: 'a' }))).status, 400);
});
