// Output that goes to the log, from real programs that encode what they were given: nothing of it can be read there.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runProgram } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { missing } from '../support/missing.ts';
import { testFolder } from '../support/test-folder.ts';

const value = 'p\u00e4ss=W0rd&"4\'2';
const inNode = (code: string) => `${process.execPath} -e '${code}'`;

/** Each prints one line that is another spelling of $W. */
const programs: Readonly<Record<string, string>> = {
  'base32 of coreutils': 'printf %s "$W" | base32 -w0; echo',
  'od in decimal': 'printf %s "$W" | od -An -v -tu1 -w1000',
  'od in hexadecimal': 'printf %s "$W" | od -An -v -tx1 -w1000',
  'Node, a Buffer as JSON': inNode('console.log(JSON.stringify(Buffer.from(process.env.W)))'),
  'Node, a typed array as JSON': inNode(
    'console.log(JSON.stringify(new TextEncoder().encode(process.env.W)))',
  ),
  'Node, UTF-16': inNode('process.stdout.write(Buffer.from(process.env.W + " end", "utf16le"))'),
  'Node, UTF-16 in base64': inNode('console.log(Buffer.from(process.env.W, "utf16le").toString("base64"))'),
  'Python, base32': `python3 -c 'import base64, os; print(base64.b32encode(os.environb[b"W"]).decode())'`,
  'Python, a list of bytes': `python3 -c 'import os; print(list(os.environb[b"W"]))'`,
  'Python, quoted-printable': `python3 -c 'import quopri, os; print(quopri.encodestring(os.environb[b"W"]).decode())'`,
  'Python, UTF-16 as it shows bytes': `python3 -c 'import os; print(os.environ["W"].encode("utf-16-be"))'`,
  'Perl, quoted-printable': `perl -MMIME::QuotedPrint -e 'print encode_qp($ENV{W}, ""), "\\n"'`,
  'PHP, quoted-printable': `php -r 'echo quoted_printable_encode(getenv("W")), "\\n";'`,
};

t.test('no real program writes a secret into the log by another spelling', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: value });
  const config = join(folder, 'run.yaml');
  writeFileSync(
    config,
    JSON.stringify({
      upstreams: {
        vault: { kind: 'vault', address: vault.address, events: false, auth: { method: 'token' } },
      },
      secrets: { app: { path: 'secret/app' } },
      processes: [{ name: 'app', command: ['true'], output: 'log', env: { W: '{{ field "app" "word" }}' } }],
      state_dir: join(folder, 'state'),
    }),
    { mode: 0o600 },
  );
  for (const [name, script] of Object.entries(programs)) {
    const [tool = ''] = /^(python3|perl|php)/.exec(script) ?? [];
    const skip = tool === '' ? false : missing(tool, [tool, '--version']);
    await t.test(name, { skip }, async (t) => {
      const env = { PATH: process.env['PATH'] ?? '', W: value };
      const plain = spawnSync('sh', ['-c', script], { env }).stdout.toString('utf8').trim();
      t.ok(plain.length > 0, 'it prints something');
      const ended = await runProgram(t, ['run', '--config', config, '--', 'sh', '-c', script], {
        env: { VAULT_TOKEN: vault.rootToken },
      });
      t.match(ended, { code: 0, stderr: '' });
      t.match(ended.stdout, /\[redacted\]/);
      // The letters at both ends of base32 and base64 may have a bit of what stands beside it.
      t.notOk(ended.stdout.includes(plain.slice(4, -12)), ended.stdout);
    });
  }
});
