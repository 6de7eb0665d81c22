// The page from a clone to one's own vault, as it stands: its commands in one shell, its config, a real OpenBao or Vault where
// there is one, else the development vault with the few commands of `bao` that the page has.
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { startDevVault } from '../support/dev-vault.ts';
import { findRealVault, startRealVault } from '../support/real-vault.ts';
import { testFolder } from '../support/test-folder.ts';

const root = resolve(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/guides/own-vault.md'), 'utf8');
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, body = '']) => body);

/** The page's commands of `bao`, and no others, by the API that the real one speaks. */
const smallBao = `const [command, ...words] = process.argv.slice(2);
const options = words.filter((word) => word.startsWith('-'));
const plain = words.filter((word) => !word.startsWith('-'));
const ask = async (method, path, body) => {
  const answer = await fetch(process.env.BAO_ADDR + '/v1/' + path, {
    method, headers: { 'x-vault-token': process.env.BAO_TOKEN }, ...(body && { body: JSON.stringify(body) }) });
  const text = await answer.text();
  if (!answer.ok) { console.error(text); process.exit(2); }
  return text === '' ? {} : JSON.parse(text);
};
const pairs = (list) => Object.fromEntries(list.map((one) => one.split(/=(.*)/s)));
const field = options.find((one) => one.startsWith('-field='))?.slice(7);
const print = ({ data }) => field && process.stdout.write(data[field]);
if (command === 'policy') await ask('PUT', 'sys/policies/acl/' + plain[1],
  { policy: (await import('node:fs')).readFileSync(plain[2], 'utf8') });
else if (command === 'auth' && plain[0] === 'list') console.log(Object.keys((await ask('GET', 'sys/auth')).data).join('\\n'));
else if (command === 'auth') await ask('POST', 'sys/auth/' + plain[1], { type: plain[1] });
else if (command === 'write') print(await ask('PUT', plain[0], pairs(plain.slice(1))));
else if (command === 'read') print(await ask('GET', plain[0]));
else if (command === 'kv') await ask('POST', options[0].slice(7) + '/data/' + plain[1], { data: pairs(plain.slice(2)) });
else process.exit(1);
`;

t.test('from a clone to a file that follows a secret of one’s own vault', async (t) => {
  const home = testFolder(t);
  const bin = join(home, 'bin');
  mkdirSync(bin);
  const real = findRealVault();
  let address: string;
  let token: string;
  if (real === undefined) {
    const vault = await startDevVault(t);
    [address, token] = [vault.address, vault.rootToken];
    writeFileSync(join(bin, 'bao.mjs'), smallBao);
    writeFileSync(join(bin, 'bao'), `#!/bin/sh\nexec node ${join(bin, 'bao.mjs')} "$@"\n`);
    chmodSync(join(bin, 'bao'), 0o755);
  } else {
    const vault = await startRealVault(t, real, 'root');
    [address, token] = [vault.address, vault.rootToken];
    symlinkSync(real, join(bin, 'bao'));
  }
  const [config = ''] = blocks('yaml');
  t.match(config, 'https://vault.example:8200');
  mkdirSync(join(home, 'first'));
  writeFileSync(join(home, 'first/latchkey.yaml'), config.replace('https://vault.example:8200', address));
  const script = `set -eu\n${blocks('sh').join('\n')}\ntest -e notified\nlatchkey stop --config latchkey.yaml\nwait`;
  const child = spawn('bash', ['-c', script], {
    cwd: root,
    env: {
      ...{ HOME: home, PATH: `${bin}:${process.env['PATH']}` },
      ...{ BAO_ADDR: address, BAO_TOKEN: token, VAULT_ADDR: address, VAULT_TOKEN: token },
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  t.teardown(() => {
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    } catch {
      // All of it has ended.
    }
  });
  let [said, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const code = await new Promise((done) => child.once('close', done));
  t.equal(code, 0, `${said}\n${errors}`);
  t.match(said, /, ready\n[\s\S]*^api_key=one$/m);
  t.match(said, /first[\s\S]*committed[\s\S]*notified/);
  t.equal(readFileSync(join(home, 'first/app.conf'), 'utf8'), 'api_key=two\n');
});
