// `latchkey migrate`: which files of a folder count, and what --check says.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runProgram } from '../support/cli.ts';
import { testFolder } from '../support/test-folder.ts';

const vault = 'vault { address = "http://127.0.0.1:8200" }\n';

t.test('reads of a folder what the tool reads', async (t) => {
  const folder = testFolder(t);
  const of = (name: string, files: Record<string, string>) => {
    const path = join(folder, name);
    mkdirSync(path);
    for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
    return path;
  };
  const template = '{"template": [{"contents": "x", "destination": "/tmp/one"}]}';
  const agent = of('agent', {
    'a.hcl': `${vault}auto_auth { method "token_file" { config = { token_file_path = "/etc/t" } } }`,
    'b.json': template,
    ...{ 'README.md': '# not for it', 'a.hcl~': 'half {', 'ours.yaml': 'files: []' },
  });
  const { code, stdout, stderr } = await runProgram(t, ['migrate', '--check', agent]);
  t.equal(code, 0, stderr);
  t.match(stderr, /read as vault-agent[\s\S]*both mean the same/);
  t.match(stdout, /destination: \/tmp\/one/);

  const others = of('templates', {
    'a.hcl': vault,
    'b.conf': 'template { contents = "x"\n destination = "/tmp/two" }',
  });
  const all = await runProgram(t, ['migrate', '--check', others]);
  t.equal(all.code, 0, all.stderr);
  t.match(all.stdout, /destination: \/tmp\/two/, 'every file of consul-template');
  const bad = of('broken', { 'a.conf': 'half {' });
  t.match(await runProgram(t, ['migrate', bad]), { code: 2, stderr: /a\.conf:1:\d+/ });
});

t.test('checks what a file means without its token, and says what was not filled in', async (t) => {
  const folder = testFolder(t);
  const token = join(folder, 'token.hcl');
  const template = 'template { contents = "x"\n destination = "/tmp/x" }';
  writeFileSync(token, `vault { address = "http://127.0.0.1:8200"\n token = "CANARY" }\n${template}`);
  const { code, stdout, stderr } = await runProgram(t, ['migrate', '--check', token]);
  t.equal(code, 0, stderr);
  t.match(stderr, /token\.hcl:2:\d+: vault\.token: .*does not come into latchkey\.yaml: set VAULT_TOKEN/);
  t.notMatch(stdout + stderr, /CANARY/);

  const open = join(folder, 'open.hcl');
  const login = 'auto_auth { method "azure" { config = { role = "$' + '{role}"\n resource = "r" } } }';
  writeFileSync(open, `${vault}${login}\n${template}`);
  t.match(await runProgram(t, ['migrate', '--check', open]), {
    code: 1,
    stdout: /role: \$\{role\}/,
    stderr: /latchkey\.yaml does not take upstreams\.vault\.auth\.role: \$\{role\} is not expanded here/,
  });
});
