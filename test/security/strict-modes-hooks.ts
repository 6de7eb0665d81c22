// A hook takes no message by a key that others can change.
import { spawnSync } from 'node:child_process';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import t from 'tap';
import { startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { needsRoot } from '../support/needs-root.ts';
import { nobody } from '../support/other-user.ts';
import { testFolder } from '../support/test-folder.ts';

const body = '{"type":"config.secrets.update"}';

function post(port: number, name: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        ...{ host: '127.0.0.1', port, method: 'POST', path: `/hooks/${name}`, agent: false },
        headers: { host: 'agent.example', ...headers },
      },
      (answer) => answer.resume().once('end', () => resolve(answer.statusCode ?? 0)),
    );
    sent.once('error', reject);
    sent.end(body);
  });
}

function signed(key: string): Record<string, string> {
  const time = String(Math.floor(Date.now() / 1000));
  const signature = createHmac('sha256', key).update(`${time}.${body}`).digest('hex');
  return { 'x-latchkey-timestamp': time, 'x-latchkey-signature': signature };
}

function newIssuer() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const keys = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: '1', alg: 'ES256' }] });
  const bearer = async () => {
    const token = new SignJWT({ iss: 'https://issuer.example', aud: 'latchkey', jti: crypto.randomUUID() });
    const text = await token
      .setProtectedHeader({ alg: 'ES256', kid: '1' })
      .setExpirationTime('5m')
      .sign(privateKey);
    return { authorization: `Bearer ${text}` };
  };
  return { keys, bearer };
}

t.test('keys that a stranger can write', { skip: needsRoot }, async (t) => {
  const folder = testFolder(t);
  chmodSync(folder, 0o755);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'one' });
  const [key, jwks] = [join(folder, 'hook.key'), join(folder, 'jwks.json')] as const;
  const [ours, theirs] = [newIssuer(), newIssuer()] as const;
  writeFileSync(key, 'ours', { mode: 0o600 });
  writeFileSync(jwks, ours.keys, { mode: 0o644 });
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: { app: { path: 'secret/app', refresh: '1h' } },
      listeners: [
        { unix: join(folder, 'latchkey.sock'), serve: ['secrets', 'admin'] },
        { tcp: '127.0.0.1:0', serve: ['hooks'] },
      ],
      hooks: {
        keyed: { hmac: { secret_file: key }, refresh: ['app'] },
        issued: {
          jwt: { issuer: 'https://issuer.example', audience: 'latchkey', jwks_file: jwks },
          refresh: ['app'],
        },
      },
    },
  });
  await agent.untilReady();
  const { listeners } = JSON.parse((await agent.ask('/status')).text) as { listeners: { address: string }[] };
  const port = Number(listeners.map(({ address }) => /:(\d+)$/.exec(address)?.[1]).find(Boolean));
  t.equal(await post(port, 'keyed', signed('ours')), 202);
  for (const path of [key, jwks]) chmodSync(path, 0o666);
  const stranger = ['--reuid', String(nobody), '--regid', String(nobody), '--clear-groups'];
  const plant = (text: string, path: string) =>
    t.equal(
      spawnSync('setpriv', [...stranger, 'sh', '-c', 'printf %s "$1" > "$2"', 'sh', text, path]).status,
      0,
    );
  plant('theirs', key);
  plant(theirs.keys, jwks);
  t.not(await post(port, 'keyed', signed('theirs')), 202);
  t.not(await post(port, 'keyed', signed('theirs')), 202);
  t.not(await post(port, 'issued', await theirs.bearer()), 202);
  const log = readFileSync(agent.logPath, 'utf8');
  t.equal(
    log.match(/a hook takes no message: credential [^"]*hook\.key can be written by everybody/g)?.length,
    1,
  );
  t.match(
    log,
    /a hook takes no message: keys .*jwks\.json can be written by everybody \(mode 0666\); chmod o-w /,
  );
  chmodSync(key, 0o600);
  writeFileSync(key, 'ours');
  t.equal(await post(port, 'keyed', signed('ours')), 202, 'what is mended is taken');
});
