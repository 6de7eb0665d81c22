// Tokens by the keys that an issuer publishes: asked for when they are wanted, not for every token, and away without harm.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import t from 'tap';
import type { JwtProofConfig } from '../../../src/config/resolved.ts';
import { createJwtProof } from '../../../src/server/hooks/jwt-proof.ts';
import { startFakeService } from '../../support/fake-service.ts';
import { testFolder } from '../../support/test-folder.ts';

const config: JwtProofConfig = {
  kind: 'jwt',
  jwksUrl: undefined,
  jwksFile: undefined,
  issuer: 'https://issuer.example',
  audience: ['a', 'latchkey'],
  claims: { groups: 'deployers' },
  header: 'authorization',
  isOnce: false,
  toleranceMs: 0,
};

async function newKey(kid: string, alg: string) {
  const { publicKey, privateKey } = await generateKeyPair(alg);
  const token = (claims: object = {}) =>
    new SignJWT({
      ...{ iss: 'https://issuer.example', aud: 'latchkey', groups: ['staff', 'deployers'] },
      ...{ exp: Math.floor(Date.now() / 1000) + 300, ...claims },
    })
      .setProtectedHeader({ alg, kid })
      .sign(privateKey);
  return { jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' }, token };
}

const message = (token: string) => ({
  header: (name: string) => (name === 'authorization' ? `Bearer ${token}` : undefined),
  body: Buffer.from('{}'),
});

t.test('keys are asked for once, and of a key that nobody knows not again and again', async (t) => {
  const [rsa, ec, ed] = await Promise.all([newKey('1', 'RS256'), newKey('2', 'ES256'), newKey('3', 'EdDSA')]);
  const stranger = await newKey('4', 'RS256');
  const service = await startFakeService(t, ({ path }) =>
    path === '/keys' ? { json: { keys: [rsa.jwk, ec.jwk, ed.jwk] } } : { status: 404 },
  );
  const proof = createJwtProof({ ...config, jwksUrl: `${service.address}/keys` });
  const verify = async (token: string) => await proof.verify(message(token), Date.now());
  for (const key of [rsa, ec, ed, rsa]) t.match(await verify(await key.token()), { isGood: true });
  t.equal(service.requests.length, 1);
  for (let round = 0; round < 20; round += 1)
    t.match(await verify(await stranger.token()), { isGood: false, why: /ERR_JWKS_NO_MATCHING_KEY/ });
  t.ok(service.requests.length <= 2, `${service.requests.length} questions for twenty strangers`);
  t.match(await verify(await rsa.token({ groups: ['staff'] })), { isGood: false, why: /the claim groups/ });
  t.match(await verify(await rsa.token({ aud: 'other' })), { why: /CLAIM_VALIDATION_FAILED \(aud\)/ });
});

t.test('an issuer that is away, elsewhere or wrong lets nobody in', async (t) => {
  const key = await newKey('1', 'RS256');
  const service = await startFakeService(t, ({ path }) =>
    path === '/moved' ? { status: 302, headers: { location: '/keys' } } : { json: { keys: [key.jwk] } },
  );
  const verify = async (url: string) =>
    await createJwtProof({ ...config, jwksUrl: `${service.address}${url}` }).verify(
      message(await key.token()),
      Date.now(),
    );
  t.match(await verify('/keys'), { isGood: true });
  t.match(await verify('/moved'), { isGood: false }, 'no redirect is followed');
  service.fault = { status: 500 };
  t.match(await verify('/keys'), { isGood: false });
  service.fault = { text: '<html>' };
  t.match(await verify('/keys'), { isGood: false });
  service.fault = undefined;
  await service.down();
  t.match(await verify('/keys'), { isGood: false });
});

t.test('a file of keys is read again when it has changed', async (t) => {
  const [before, after] = await Promise.all([newKey('1', 'RS256'), newKey('2', 'RS256')]);
  const path = join(testFolder(t), 'jwks.json');
  const proof = createJwtProof({ ...config, jwksFile: path });
  const now = Date.now();
  t.match(await proof.verify(message(await before.token()), now), { isGood: false }, 'it is not there');
  writeFileSync(path, JSON.stringify({ keys: [before.jwk] }));
  t.match(await proof.verify(message(await before.token()), now + 11_000), { isGood: true });
  writeFileSync(path, JSON.stringify({ keys: [after.jwk] }));
  t.match(await proof.verify(message(await after.token()), now + 12_000), { isGood: false });
  t.match(await proof.verify(message(await after.token()), now + 23_000), { isGood: true });
  t.match(await proof.verify(message(await before.token()), now + 23_000), { isGood: false });
});
