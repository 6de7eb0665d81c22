// Whatever `latchkey validate` finds wrong with a config, it says where: `FILE:LINE:COLUMN` of the key, at every stage.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import t, { type Test } from 'tap';
import { validateParts } from '../../../src/agent/offline/validate-parts.ts';
import { describeError } from '../../../src/base/errors.ts';
import { loadConfigText } from '../../../src/config/load.ts';
import type { Locate } from '../../../src/config/places.ts';

/** What is told of the text, with the folder taken out. */
async function problemsOf(t: Test, text: string, checks: 'text' | 'host' = 'host'): Promise<string[]> {
  const folder = t.testdir({
    plain: '',
    a: {},
    b: {},
    c: {},
    d: {},
    e: {},
    f: {},
    'bad.ctmpl': 'one\n{{ if }}',
  });
  const file = join(folder, 'latchkey.yaml');
  const written = text.replaceAll('DIR', folder);
  let locate: Locate | undefined;
  const onLocated = (known: Locate): void => {
    locate = known;
  };
  const all: string[] = [];
  try {
    loadConfigText(file, written, { env: {}, checks });
  } catch (error) {
    all.push(...describeError(error).split('\n'));
  }
  const config = loadConfigText(file, written, { env: {}, checks: 'none', isTolerant: true, onLocated });
  all.push(...(await validateParts(config, { locate })));
  return all.map((line) => line.replaceAll(`${folder}/`, ''));
}

/** Each with one mistake, at `#!` or at the key there. */
const later = `
upstreams:
  vault:
    address: https://127.0.0.1:1
    tls:
      ca_file: DIR/gone.pem #! upstreams.vault.tls.ca_file
      ca_path: DIR/plain #! upstreams.vault.tls.ca_path
      cert_file: DIR/gone.crt #! upstreams.vault.tls.cert_file
      key_file: DIR/a #! upstreams.vault.tls.key_file
    sinks:
      - path: DIR/a #! upstreams.vault.sinks[0].path
  tool:
    kind: exec
    command: [/no/such/program] #! upstreams.tool.command
secrets:
  stripe:
    path: secret/stripe
    upstream: vault
files:
  - contents: '{{ field "strip" "key" }}' #! files[0].template
    destination: DIR/none/out #! files[0].destination
    upstream: vault
  - contents: x
    destination: DIR/b #! files[1].destination
  - contents: |  #! template: out (contents)
      {{ if }}
    destination: DIR/out
    staging: /proc #! files[2].staging
    check: #! files[2].check
      command: [no-such-check]
    notify:
      - command: [no-such-notify] #! files[2].notify[0]
    settle: #! files[2].settle
      command: [no-such-settle]
  - template: DIR/none.ctmpl #! files[3].template
    destination: DIR/out-e
  - contents: '{{ secret "secret/a" }}' #! files[4].template
    destination: DIR/out-f
  - contents: '{{ env "A" }}' #! template: out-g (contents)
    destination: DIR/out-g
template:
  deny_functions: [env]
processes:
  - name: app
    command: [no-such-server] #! processes.app.command
    working_dir: DIR/plain #! processes.app.working_dir
    health: #! processes.app.health
      command: [no-such-health]
    env:
      A: '{{ field "strpe" "key" }}' #! processes.app.env.A
      B: '{{ end }}' #! template: processes.app.env.B
listeners:
  - tcp: 127.0.0.1:8100
    token_file: DIR/c #! listeners[0].token_file
    tls:
      cert_file: DIR/gone.crt #! listeners[0].tls.cert_file
      key_file: DIR/a #! listeners[0].tls.key_file
audit:
  file: DIR/none/audit #! audit.file
log:
  file: DIR/d #! log.file
agent:
  pid_file: DIR/e #! agent.pid_file
`;

t.test('every problem of the later stages has the line of its key', async (t) => {
  const wanted = later
    .split('\n')
    .flatMap((line, index) => {
      const [, subject] = /#! (.*)$/.exec(line) ?? [];
      return subject === undefined ? [] : [`${index + 1} ${subject}`];
    })
    .sort();
  const told = await problemsOf(t, later, 'text');
  const form = /^latchkey\.yaml:(\d+):\d+: (template: [^:]+|[^:]+(?=: ))/;
  const found = told.map((line) => {
    const [, number, subject] = form.exec(line) ?? [];
    return subject === undefined ? line : `${number} ${subject}`;
  });
  t.strictSame([...new Set(found)].sort(), wanted);
});

t.test('a template of its own file has its own line', async (t) => {
  const told = await problemsOf(
    t,
    'upstreams: { v: { address: "http://a:1" } }\nfiles: [{ template: bad.ctmpl, destination: DIR/out }]\n',
  );
  t.match(told, [/^template: bad\.ctmpl:2:\d+: missing value for if/]);
  t.equal(told.length, 1);
});

t.test('and so has each of the first stage', async (t) => {
  for (const text of [
    'upstream: {}',
    'upstreams: []',
    'upstreams: { v: { kind: nothing } }',
    'upstreams: { "a b": { address: "http://a:1" } }',
    'upstreams: { v: { address: "not an address" } }',
    'upstreams: { v: { address: "http://a:1", auth: { method: approle } } }',
    'upstreams: { a: { address: "http://a:1" }, b: { address: "http://b:1" } }\nsecrets: { s: { path: x } }',
    'secrets: { s: { path: x, upstream: gone } }',
    'secrets: { s: { path: x } }\nsecrets: { s: { path: y } }',
    'secrets: { s: { path: "" } }',
    'files: [{ destination: DIR/out }]',
    'files: [{ contents: x, destination: DIR/out, mode: 9999 }]',
    'files: [{ contents: x, destination: DIR/out, owner: no-such-user, group: no-such-group }]',
    'files: [{ contents: x, destination: DIR/out }, { contents: y, destination: DIR/out }]',
    'files: [{ contents: x, destination: DIR/out, notify: { signal: HUP } }]',
    'files: [{ contents: x, destination: DIR/out, wait: "soon" }]',
    'processes: [{ command: [true] }]',
    'processes: [{ name: a, command: ["true"], user: nobody-here }, { name: a, command: ["true"] }]',
    'processes: [{ name: a, command: ["true"], env_from: [{ secret: gone }] }]',
    'listeners: [{ tcp: "0.0.0.0:1" }]',
    'listeners: [{ unix: a, tcp: "127.0.0.1:1" }]',
    'listeners: [{ unix: a, serve: [nothing] }]',
    'access: [{ name: a, client: { user: nobody-here }, allow: [gone] }]',
    'hooks: { h: { hmac: { secret_file: DIR/gone }, refresh: [gone] } }',
    'audit: { file: [] }',
    'log: { level: loud }',
    'state_dir: 1',
    'strict_modes: perhaps',
    'a: [1',
    'files: []\n---\nfiles: []',
    'upstreams: { v: { address: "http://a:1", token: "s.secret" } }',
    'nothing',
    '# nothing',
  ]) {
    const told = await problemsOf(t, text);
    t.ok(told.length > 0, text);
    for (const line of told) t.match(line, /^latchkey\.yaml:\d+:\d+: /, text);
  }
});

t.test('what has no line is a whole file that cannot be read', async (t) => {
  const root = resolve(import.meta.dirname, '../../../src');
  const without = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => {
      const text = readFileSync(join(root, name), 'utf8');
      return [...text.matchAll(/\b(?:addAt|warnAt)\(\s*[^,]+,\s*undefined,\s*(.{0,30})/g)].map(
        ([, what]) => `${relative(root, join(root, name))}: ${what?.trim()}`,
      );
    });
  t.strictSame(without.sort(), [
    "config/load.ts: 'no *.yaml, *.yml, *.json or *",
    'config/load.ts: describeReadError(error));',
    'config/load.ts: message);',
    'config/sources/read-source.ts: describeReadError(error));',
  ]);
});

t.test('of several files each problem has its own', async (t) => {
  const folder = t.testdir({});
  mkdirSync(join(folder, 'conf'));
  const write = (name: string, text: string) => writeFileSync(join(folder, 'conf', name), text);
  write('a.yaml', `files:\n  - { contents: x, destination: ${folder}/none/a }\n`);
  write('b.yaml', `files:\n\n  - { contents: x, destination: ${folder}/none/b }\n`);
  const { loadConfig } = await import('../../../src/config/load.ts');
  let locate: Locate | undefined;
  const config = loadConfig([join(folder, 'conf')], {
    env: {},
    checks: 'text',
    onLocated: (known) => {
      locate = known;
    },
  });
  const told = (await validateParts(config, { locate })).map((line) => line.replaceAll(folder, ''));
  t.match(told, [
    /^\/conf\/a\.yaml:2:\d+: files\[0\]\.destination of \S+\.yaml: the/,
    /^\/conf\/b\.yaml:3:\d+: files\[0\]\.\w+ of /,
  ]);
});

t.test('in the file of another tool they are called as there', async (t) => {
  const text = `vault { address = "http://a:1" }
auto_auth { method "token_file" { config = { token_file_path = "t" } } }

template {
  contents = "{{ if }}"
  destination = "/none/such/folder/out"
}
`;
  let locate: Locate | undefined;
  const config = loadConfigText('/x/agent.hcl', text, {
    env: {},
    checks: 'text',
    onLocated: (known) => {
      locate = known;
    },
  });
  const told = await validateParts(config, { locate });
  t.ok(told.length > 0);
  for (const line of told) t.match(line, /^\/x\/agent\.hcl:[4-6]:\d+: /);
});
