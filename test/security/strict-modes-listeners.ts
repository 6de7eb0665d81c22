// A listener does not take over a certificate that others can change.
import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import t from 'tap';
import { createAuthority } from '../support/certificates.ts';
import { startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { needsRoot } from '../support/needs-root.ts';
import { nobody } from '../support/other-user.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

function nameShown(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      const { subject } = socket.getPeerCertificate();
      socket.destroy();
      resolve(String(subject.CN));
    });
    socket.on('error', reject);
  });
}

t.test('a certificate and a key that a stranger can write', { skip: needsRoot }, async (t) => {
  const folder = testFolder(t);
  chmodSync(folder, 0o755);
  const vault = await startDevVault(t);
  const authority = await createAuthority();
  const [ours, theirs, next] = [
    await authority.issue({ commonName: 'ours' }),
    await authority.issue({ commonName: 'theirs' }),
    await authority.issue({ commonName: 'next' }),
  ] as const;
  const [cert_file, key_file] = [join(folder, 'cert.pem'), join(folder, 'key.pem')] as const;
  const put = ({ cert, key }: typeof ours) => {
    writeFileSync(cert_file, cert);
    writeFileSync(key_file, key);
    chmodSync(cert_file, 0o644);
    chmodSync(key_file, 0o600);
  };
  put(ours);
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      listeners: [
        { unix: join(folder, 'latchkey.sock'), serve: ['secrets', 'admin'] },
        {
          tcp: '127.0.0.1:0',
          serve: ['secrets'],
          tls: { cert_file, key_file },
          token_file: join(folder, 'token'),
        },
      ],
    },
  });
  await agent.untilReady();
  const { listeners } = JSON.parse((await agent.ask('/status')).text) as { listeners: { address: string }[] };
  const port = Number(listeners.map(({ address }) => /:(\d+) tls$/.exec(address)?.[1]).find(Boolean));
  t.equal(await nameShown(port), 'ours');
  for (const path of [cert_file, key_file]) chmodSync(path, 0o606);
  const stranger = ['--reuid', String(nobody), '--regid', String(nobody), '--clear-groups'];
  const both = ['sh', '-c', 'printf %s "$1" > "$3" && printf %s "$2" > "$4"', 'sh'];
  const planted = spawnSync('setpriv', [...stranger, ...both, theirs.cert, theirs.key, cert_file, key_file]);
  t.equal(planted.status, 0);
  agent.child.kill('SIGHUP');
  await waitFor('the refusal', () => /config was not reloaded: the old one stays/.test(agent.log()));
  t.match(agent.log(), /certificate .*cert\.pem can be written by everybody \(mode 0606\); chmod o-w /);
  t.match(agent.log(), /key .*key\.pem can be written by everybody \(mode 0606\); chmod o-w /);
  t.equal(await nameShown(port), 'ours');
  put(next);
  agent.child.kill('SIGHUP');
  await waitFor('the next', async () => (await nameShown(port)) === 'next');
  t.pass('what is mended is taken');
});
