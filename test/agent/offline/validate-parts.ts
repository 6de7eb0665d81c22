// `latchkey validate` of templates: what can never work is a problem with its place, and so is each of several.
import { join } from 'node:path';
import t from 'tap';
import { validateParts } from '../../../src/agent/offline/validate-parts.ts';
import { describeError } from '../../../src/base/errors.ts';
import { loadConfigText } from '../../../src/config/load.ts';

const upstream = 'upstreams: { v: { address: "http://a:1" } }\n';

t.test('functions that have no source or no permission are named with line and column', async (t) => {
  const folder = t.testdir({
    'a.ctmpl':
      'x={{ key "a" }}\n{{ range service "b" }}{{ end }}{{ nomadVar "c" }}\n{{ plugin "d" }}{{ file "e" }}{{ "f" | writeToFile "g" "" "" "0600" }}',
  });
  const file = join(folder, 'latchkey.yaml');
  const files = 'files: [{ template: a.ctmpl, destination: out }]\n';
  const problemsOf = async (text: string) =>
    (await validateParts(loadConfigText(file, text, { env: {}, checks: 'text' }))).map((line) =>
      line.replaceAll(`${folder}/`, ''),
    );
  t.strictSame(await problemsOf(upstream + files), [
    'template: a.ctmpl:1:5: key asks Consul, which is no source here; keep the value in a secret',
    'template: a.ctmpl:2:9: service asks Consul, which is no source here; keep the value in a secret',
    'template: a.ctmpl:2:35: nomadVar asks Nomad, which is no source here; keep the value in a secret',
    'template: a.ctmpl:3:3: plugin is not allowed; template.allow_plugin allows it',
    'template: a.ctmpl:3:19: file has no folder that it may use; name one in template.sandbox_paths',
    'template: a.ctmpl:3:39: writeToFile has no folder that it may use; name one in template.sandbox_paths',
  ]);
  const allowed = 'template: { allow_plugin: true, sandbox_paths: [/srv] }\n';
  t.strictSame((await problemsOf(upstream + files + allowed)).length, 3, 'Consul and Nomad are left');
});

t.test('in an agent.hcl too, where the sandbox is open', async (t) => {
  const text = `auto_auth { method "token_file" { config = { token_file_path = "t" } } }
template { contents = "{{ file \\"/etc/hostname\\" }}{{ keyOrDefault \\"a\\" \\"b\\" }}" destination = "/out" }`;
  const config = loadConfigText('/x/agent.hcl', text, { env: {}, checks: 'text' });
  t.match(await validateParts(config), [/^template: out \(contents\):1:2\d: keyOrDefault asks Consul/]);
});

t.test('the program of an upstream is looked for, and its user', async (t) => {
  const text = (more: string) =>
    `upstreams: { tool: { kind: exec, command: [/no/such/program, get]${more} } }\nsecrets: { a: { path: a } }\n`;
  const problems = await validateParts(loadConfigText('/c.yaml', text(''), { env: {}, checks: 'text' }));
  t.match(problems, [/^upstreams\.tool\.command: .*\/no\/such\/program/]);
  t.strictSame(
    await validateParts(loadConfigText('/c.yaml', text(''), { env: {}, checks: 'text' }), {
      isElsewhere: true,
    }),
    [],
    'but not on another host',
  );
  t.throws(() => loadConfigText('/c.yaml', text(', user: no-such-user'), { env: {}, checks: 'host' }), {
    message: /c\.yaml:1:\d+: upstreams\.tool\.user: there is no user no-such-user on this host/,
  });
});

t.test('a template that is called and nowhere defined, a folder and a file that are not there', async (t) => {
  const folder = t.testdir({});
  const text = `upstreams: { v: { address: "https://a:1", tls: { ca_file: /no/such/ca.pem, ca_path: /no/such/folder } } }
files:
  - { contents: '{{ define "a" }}x{{ end }}{{ template "a" }}{{ block "b" . }}{{ end }}{{ if false }}{{ template "zz" . }}{{ end }}', destination: ${folder}/out }
processes: [{ name: app, command: [sleep, "1"], working_dir: /no/such/folder }]
`;
  const config = loadConfigText('/c.yaml', text, { env: {}, checks: 'text' });
  const template =
    'template: out (contents):1:96: template "zz" is not defined in it; define it there, or correct the name';
  t.strictSame(await validateParts(config), [
    template,
    'processes.app.working_dir: the folder /no/such/folder does not exist; make it, or correct the path',
    'upstreams.v.tls.ca_file: /no/such/ca.pem does not exist; correct the path',
    'upstreams.v.tls.ca_path: the folder /no/such/folder does not exist; make it, or correct the path',
  ]);
  t.strictSame(await validateParts(config, { isElsewhere: true }), [template], 'the host is another');
});

t.test('what is no folder, is one, or is not there, is told all at once', async (t) => {
  const folder = t.testdir({ plain: '', folder: {}, b: {}, c: {}, d: {} });
  const text = `upstreams:
  v: { address: "https://127.0.0.1:1", tls: { ca_file: ${folder}/gone.pem }, sinks: [{ path: ${folder}/b }] }
files:
  - { contents: x, destination: ${folder}/folder }
  - { contents: x, destination: ${folder}/plain/x }
  - { contents: x, destination: ${folder}/plain/a/x, create_parents: true }
  - { contents: x, destination: ${folder}/new/a/x, create_parents: true }
  - { contents: x, destination: ${folder}/own.pem }
processes:
  - { name: p, command: [/bin/sh], working_dir: ${folder}/gone }
  - { name: q, command: [/bin/sh], working_dir: ${folder}/plain }
listeners:
  - { tcp: "127.0.0.1:1", token_file: ${folder}/c, serve: [admin], tls: { cert_file: ${folder}/own.pem, key_file: ${folder}/gone.key } }
log: { file: ${folder}/d }
`;
  const config = loadConfigText(join(folder, 'c.yaml'), text, { env: {}, checks: 'text' });
  t.strictSame(
    (await validateParts(config)).map((line) => line.replaceAll(folder, 'F')),
    [
      'files[0].destination: F/folder is a folder; name a file in it',
      'files[1].destination: F/plain is no folder; correct the path',
      'files[2].destination: F/plain is no folder; correct the path',
      'processes.p.working_dir: the folder F/gone does not exist; make it, or correct the path',
      'processes.q.working_dir: F/plain is no folder; correct the path',
      'listeners[0].token_file: F/c is a folder; name a file in it',
      'listeners[0].tls.key_file: F/gone.key does not exist; correct the path',
      'log.file: F/d is a folder; name a file in it',
      'upstreams.v.tls.ca_file: F/gone.pem does not exist; correct the path',
      'upstreams.v.sinks[0].path: F/b is a folder; name a file in it',
    ],
  );
});

t.test('what cannot be looked at is told with its place, and all else beside it', async (t) => {
  const folder = t.testdir({
    plain: '',
    round: t.fixture('symlink', 'round'),
    other: t.fixture('symlink', 'other'),
  });
  const long = `${folder}/${'x'.repeat(300)}`;
  const text = `${upstream}files:
  - { template: ${folder}/round, destination: ${folder}/a }
  - { template: ${folder}/plain, destination: ${folder}/other }
  - { template: ${long}, destination: ${folder}/c, mode: keep }
  - { template: ${folder}/plain/x, destination: ${long}y }
processes: [{ name: p, command: [${folder}/round] }, { name: q, command: [sh, ${folder}/round] }]
`;
  const lines = (message: string) => message.replaceAll(long, 'LONG').replaceAll(folder, 'F').split('\n');
  const circle = 'cannot be looked at (ELOOP); its links lead in a circle, remove one';
  let message = '';
  try {
    loadConfigText('/c.yaml', text, { env: {}, checks: 'host' });
  } catch (error) {
    message = describeError(error);
  }
  const told = lines(message).map((line) => line.replace(/^\/c\.yaml:\d+:\d+: /, ''));
  t.strictSame(
    told.filter((line) => line.startsWith('files[') && !line.includes(' too many links')),
    [
      `files[0].template: F/round ${circle}`,
      'files[2].template: LONG cannot be looked at (ENAMETOOLONG); shorten the name',
      'files[3].template: no such file: F/plain/x; write the template or correct the path',
    ],
  );
  const config = loadConfigText('/c.yaml', text, { env: {}, checks: 'text' });
  t.strictSame(lines((await validateParts(config)).filter((line) => !/cannot read/.test(line)).join('\n')), [
    `files[1].destination: F/other ${circle}`,
    'files[3].destination: LONGy cannot be looked at (ENAMETOOLONG); shorten the name',
    `processes.p.command: F/round ${circle}`,
  ]);
});

t.test('a call that no value can make right', async (t) => {
  const problemsOf = async (contents: string) =>
    await validateParts(
      loadConfigText(
        '/c.yaml',
        `${upstream}secrets: { a: { path: a } }\nfiles: [{ contents: '${contents}', destination: /x }]\n`,
        { env: {}, checks: 'text' },
      ),
    );
  for (const [contents, says] of [
    ['{{ field "a" }}', /x \(contents\):1:3: .* wrong number of args for field: want 2 got 1$/],
    ['{{ with secret "a" }}{{ .Data.x | toUpper 1 }}{{ end }}', /wrong number of args for toUpper/],
  ] as const) {
    t.match(await problemsOf(contents), [says], contents);
  }
  t.strictSame(await problemsOf('{{ with secret "a" }}{{ index .Data.x 3 }}{{ end }}'), [], 'a value may');
});

t.test('what made-up secrets lack is no warning, what is random is one', async (t) => {
  const warningsOf = async (contents: string) => {
    const warnings: string[] = [];
    const text = `${upstream}files: [{ contents: '${contents}', destination: /x }]\n`;
    const config = loadConfigText('/c.yaml', text, { env: {}, checks: 'text' });
    const onWarning = (message: string) => void warnings.push(message);
    t.strictSame(await validateParts(config, { isElsewhere: true, onWarning }), [], contents);
    return warnings;
  };
  for (const contents of [
    '{{ with secret "secret/data/a" }}{{ .Data.data.key }}{{ end }}',
    '{{ with secret "secret/a" }}{{ .Data.key }}{{ .Data.data }}{{ end }}',
    '{{ (secret "secret/a").Data.data.key }}',
    '{{ range $k, $v := (secret "secret/a").Data }}{{ $v.x }}{{ end }}',
  ])
    t.strictSame(await warningsOf(contents), [], contents);
  t.match(await warningsOf('{{ sprig_shuffle "abc" }}'), [/another result at each execution/]);
});
