import t from 'tap';
import { loadConfigText } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problems.ts';

const upstream = 'upstreams: { vault: { address: "https://vault.example:8200" } }\n';

/** The lines of the error, without the file's name. */
function problemsOf(text: string, env: Record<string, string> = {}, checks?: 'host'): string[] {
  try {
    loadConfigText('/etc/latchkey/x.yaml', text, { env, ...(checks ? { checks } : {}) });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n').map((line) => line.replace('/etc/latchkey/x.yaml:', ''));
  }
  return [];
}

const load = (text: string, env: Record<string, string> = {}) =>
  loadConfigText('/etc/latchkey/x.yaml', upstream + text, { env });

t.test('says what is wrong, where, what was expected and what to do', async (t) => {
  const cases: readonly [text: string, ...expected: string[]][] = [
    ['secretz: {}', '1:1: secretz: unknown key; did you mean secrets?'],
    [
      'zzz: {}',
      '1:1: zzz: unknown key; known here: upstreams, secrets, files, processes, listeners, hooks, access, audit, log, telemetry, template, strict_modes, agent, state_dir',
    ],
    [
      'upstreams: { v: { adress: "https://a:1" } }',
      '1:19: upstreams.v.adress: unknown key; did you mean address?',
    ],
    [
      'log: { level: info, level: warn }',
      '1:21: log.level: this key is there twice, first in line 1; remove one',
    ],
    [
      'log: { level: wran }',
      '1:15: log.level: expected one of debug, info, warn, error, got "wran"; did you mean warn?',
    ],
    [
      'upstreams: { u: { kind: gpc, project: p } }',
      '1:25: upstreams.u.kind: expected one of vault, agent, aws, azure, env, exec, file, gcp, http, kubernetes, onepassword, got "gpc"; did you mean gcp?',
    ],
    ['log: []', '1:6: log: expected a map, got a list'],
    ['files: {}', '1:8: files: expected a list; begin each item with a dash'],
    ['- a', '1:1: expected a map with the sections of the configuration'],
    ['a: [1', '1:6: not valid YAML: unexpected end of the stream within a flow collection'],
    [
      'log:\n\tlevel: info',
      '2:1: not valid YAML: tab characters must not be used in indentation; indent with spaces',
    ],
    [
      'files: [{ destination: /a, contents: x, mode: 0640 }]',
      '1:47: files[0].mode: expected an octal string such as "0640", got the number 640; unquoted it is a decimal number: write "0640"',
    ],
    [
      'files: [{ destination: /a, contents: x, mode: 0o640 }]',
      '1:47: files[0].mode: expected an octal string such as "0640", got the number 416; unquoted it is a decimal number: write "0640"',
    ],
    [
      'files: [{ destination: /a, contents: x, mode: "9999" }]',
      '1:47: files[0].mode: expected an octal string such as "0640", got "9999"',
    ],
    [
      'files: [{ destination: /a, contents: x, notify: { command: systemctl reload nginx } }]',
      '1:60: files[0].notify.command: expected a list: the program and its arguments, got "systemctl reload nginx"; no shell takes it apart: write [program, argument, …], or [sh, -c, "…"] where you need a shell',
    ],
    [
      'files: [{ destination: /a, contents: x, notify: [{ signal: HPU, pid_file: /p }] }]',
      '1:60: files[0].notify[0].signal: expected the name of a signal such as TERM, HUP or USR1, got "HPU"',
    ],
    [
      'files: [{ destination: /a, contents: x, notify: { signal: HUP } }]',
      '1:49: files[0].notify: missing, expected one of pid_file, process',
    ],
    ['files: [{ destination: /a }]', '1:9: files[0]: missing, expected one of template, contents'],
    ['files: [{ contents: x }]', '1:9: files[0].destination: missing, expected a string'],
    [
      'files: [{ destination: /a, contents: x, fifo: true, set: s }]',
      '1:53: files[0].set: a fifo has no file that stays; remove this or fifo',
    ],
    [
      'files: [{ destination: /a, contents: x, settle: { http: "ftp://x" } }]',
      '1:57: files[0].settle.http: expected a URL that starts with http:// or https://',
    ],
    [
      'processes: [{ name: a, command: [] }]',
      '1:33: processes[0].command: expected a list: the program and its arguments, got a list',
    ],
    [
      'processes: [{ name: a, command: [x], on_rotation: reload }]',
      '1:51: processes[0].on_rotation: expected restart, none, or signal with a name such as signal HUP, got "reload"',
    ],
    [
      'processes: [{ name: a, command: [x], restart: { backoff: 1s-30s } }]',
      '1:58: processes[0].restart.backoff: expected a range of durations such as 1s..30s, got "1s-30s"',
    ],
    [
      'processes: [{ name: a, command: [x], overlap_start: true }]',
      '1:53: processes[0].overlap_start: needs health, to know when the old one may be stopped',
    ],
    [
      'processes: [{ name: a, command: [x] }, { name: a, command: [y] }]',
      '1:42: processes[1].name: a is there twice, first at /etc/latchkey/x.yaml:1:15; remove or rename one',
    ],
  ];
  for (const [text, ...expected] of cases) {
    t.strictSame(problemsOf(text), expected, text);
  }
});

t.test('refuses durations without a unit', async (t) => {
  t.match(
    problemsOf(`${upstream}secrets: { a: { path: a, refresh: 30 } }`)[0],
    /got the number 30; say the unit: 30s$/,
  );
});

t.test('tells everything that is wrong at once, in the order of the lines', async (t) => {
  const problems = problemsOf(`${upstream}secrets:
  a: { path: x, refresh: 5 }
  b: { pth: y }
files:
  - { destination: relative, contents: x, mode: "8" }
  - { destination: /out/a, contents: y, notify: { signal: HUP, process: wbe } }
processes: [{ name: web, command: [/bin/web], stop: { signal: TREM } }]
access: [{ name: r, client: { user: u }, allow: [aa, z] }]
`);
  t.strictSame(
    problems.map((line) => line.split(': ', 2).join(': ')),
    [
      '3:26: secrets.a.refresh',
      '4:6: secrets.b.path',
      '4:8: secrets.b.pth',
      '6:49: files[0].mode',
      '7:73: files[1].notify.process',
      '8:63: processes[0].stop.signal',
      '9:50: access[0].allow[0]',
      '9:54: access[0].allow[1]',
    ],
  );
});

t.test('names the nearest of what is known where names refer to each other', async (t) => {
  const problems = problemsOf(`upstreams:
  one: { address: "https://a:1" }
  two: { address: "https://b:1" }
secrets:
  database: { path: x, upstream: oen }
  other: { path: y }
processes: [{ name: server, command: [x] }]
files: [{ destination: /a, contents: x, notify: { signal: HUP, process: sever } }]
access: [{ name: r, client: { user: u }, allow: [databse, oth*, nope*] }]
`);
  t.strictSame(problems, [
    '5:34: secrets.database.upstream: unknown upstream "oen"; did you mean one?',
    '6:3: secrets.other: missing upstream, expected one of one, two',
    '8:73: files[0].notify.process: unknown process "sever"; did you mean server?',
    '9:50: access[0].allow[0]: unknown secret "databse"; did you mean database?',
    '9:65: access[0].allow[2]: "nope*" fits no secret',
  ]);
});

t.test('lets no two things write one path, nor one lie in another', async (t) => {
  t.strictSame(
    problemsOf(`${upstream}files:
  - { destination: /a/b, contents: x, backup: true }
  - { destination: /a//b, contents: y }
  - { destination: /a/b.bak, contents: y }
  - { destination: /a/b/c, contents: y }
  - { destination: /a/d, template: /a/d }
audit: { file: /a/b }
`),
    [
      '4:7: files[1].destination: /a/b is there twice, first at /etc/latchkey/x.yaml:3:7; remove or rename one',
      '5:7: files[2].destination: /a/b.bak is there twice, first at /etc/latchkey/x.yaml:3:39; remove or rename one',
      '6:20: files[3].destination: /a/b/c lies in /a/b, which is a file too (/etc/latchkey/x.yaml:3:7)',
      '7:36: files[4].template: the agent writes this path itself (files[4].destination); give the template another one',
      '7:36: files[4].template: no such file: /a/d; write the template or correct the path',
      '8:10: audit.file: /a/b is there twice, first at /etc/latchkey/x.yaml:3:7; remove or rename one',
    ],
  );
});

t.test('keeps secrets out of the file and out of the messages', async (t) => {
  const token = 'hvs.CAESIJ1234567890123456789012345678901234567890';
  const problems = problemsOf(`upstreams:
  v:
    address: https://user:hunter2@vault:8200
    auth: { method: approle, role_id: x, secret_id: hunter2 }
secrets: { a: { path: x, parameters: { t: ${token} } } }
files:
  - destination: /a
    contents: |
      -----BEGIN RSA PRIVATE KEY-----
      aHVudGVyMg==
token: hunter2
`);
  t.strictSame(problems, [
    '3:14: upstreams.v.address: a URL here has no name and password; secrets do not belong in this file',
    '4:42: upstreams.v.auth.secret_id: secrets do not belong in this file; put it in a file and name that with secret_id_file',
    '5:43: secrets.a.parameters.t: looks like a token: secrets do not belong in this file; keep it in a file of its own',
    '8:5: files[0].contents: looks like a private key: secrets do not belong in this file; keep it in a file of its own',
    '11:1: token: secrets do not belong in this file; remove it',
  ]);
  t.strictSame(problemsOf('upstreams: { v: { address: "https://user:hunter2@vault:8200" } }'), [
    '1:28: upstreams.v.address: a URL here has no name and password; secrets do not belong in this file',
  ]);
  const wrong = problemsOf('upstreams: { v: { address: "x", auth: { method: hunter2, mount: [hunter2] } } }');
  t.notMatch(wrong.join('\n'), 'hunter2');
});

t.test('tells that variables are not expanded, where nothing else would expand them', async (t) => {
  t.strictSame(problemsOf(`upstreams: { v: { address: "\${ADDR}" } }`), [
    `1:28: upstreams.v.address: \${ADDR} is not expanded here; write the value itself, or leave the key out to take $VAULT_ADDR`,
    '1:28: upstreams.v.address: expected a URL that starts with https:// or http://',
  ]);
  t.strictSame(problemsOf(`processes: [{ name: a, command: [sh, -c, "echo \${HOME}"] }]`), []);
});

t.test('holds listeners to loopback, to one kind each and to what the kernel takes', async (t) => {
  const cases: readonly [listener: string, expected: RegExp][] = [
    [
      '{ tcp: "0.0.0.0:1", token_file: /t }',
      /tcp: 0\.0\.0\.0 is not loopback: secrets leave this host only with allow_remote: true and tls/,
    ],
    ['{ tcp: "0.0.0.0:1", token_file: /t, allow_remote: true }', /not loopback/],
    ['{ tcp: "127.0.0.1:1" }', /missing token_file/],
    ['{ tcp: "8100", token_file: /t }', /expected ADDRESS:PORT such as 127\.0\.0\.1:8100/],
    ['{ tcp: "127.0.0.1:99999", token_file: /t }', /expected ADDRESS:PORT/],
    ['{ tcp: "example.com:80", token_file: /t }', /expected ADDRESS:PORT/],
    [`{ unix: /run/${'x'.repeat(110)} }`, /expected at most 107 bytes, got 115/],
    ['{ unix: /a, tcp: "127.0.0.1:1" }', /expected only one of unix, tcp, systemd, got unix and tcp/],
    ['{ serve: [secrets] }', /missing, expected one of unix, tcp, systemd/],
    ['{ unix: /a, token_file: /t }', /token_file: this key is for tcp listeners/],
    [
      '{ unix: "@a", mode: "0600" }',
      /mode: this key is for unix \(an abstract address has no file\) listeners/,
    ],
    ['{ unix: /a, serve: [secretz] }', /did you mean secrets\?/],
  ];
  for (const [listener, expected] of cases)
    t.match(problemsOf(`listeners: [${listener}]`)[0], expected, listener);
  const fine =
    '{ tcp: "0.0.0.0:1", token_file: /t, allow_remote: true, tls: { cert_file: /c, key_file: /k } }';
  t.strictSame(problemsOf(`listeners: [${fine}]`), []);
});

t.test('refuses an access rule that would fit everybody, and a token of no listener', async (t) => {
  t.match(problemsOf('access: [{ name: r, client: {} }]')[0], /an empty client would fit everybody/);
  t.match(
    problemsOf('access: [{ name: r, client: { token: x } }]')[0],
    /unknown tcp listener "x"; there is no tcp listener/,
  );
  const { access } = load(`listeners: [{ tcp: "127.0.0.1:0", token_file: /t }]
access: [{ name: a, client: { token: "listeners[0]" } }, { name: b, client: { token: /t } }]`);
  t.strictSame(
    access.rules.map((rule) => rule.client.token),
    ['listeners[0]', 'listeners[0]'],
  );
});

t.test('takes access as a list and as a map with strict', async (t) => {
  const rule = '{ name: r, client: { uid: 0 }, allow: ["*"] }';
  t.match(load(`access: [${rule}]`).access, { strict: false, rules: [{ name: 'r', client: { uid: 0 } }] });
  t.match(load(`access: { strict: true, rules: [${rule}] }`).access, {
    strict: true,
    rules: [{ name: 'r' }],
  });
  t.match(problemsOf('access: { stict: true }')[0], /stict: unknown key; did you mean strict\?/);
});

t.test('fills what the file leaves open from the VAULT_ variables', async (t) => {
  const env = {
    VAULT_ADDR: 'https://env:8200/',
    VAULT_NAMESPACE: 'ns',
    VAULT_CACERT: '/ca',
    VAULT_SKIP_VERIFY: 'true',
    VAULT_CLIENT_TIMEOUT: '5',
    STATE_DIRECTORY: '/var/lib/one:/var/lib/two',
  };
  const config = loadConfigText('/x.yaml', 'secrets: { a: { path: b } }', { env });
  t.match(config.upstreams, [
    {
      name: 'vault',
      addresses: ['https://env:8200'],
      namespace: 'ns',
      tls: { caFile: '/ca', skipVerify: true },
      auth: { method: 'token', mount: 'token' },
      timeoutMs: 5000,
    },
  ]);
  t.equal(config.secrets[0]?.upstream, 'vault');
  t.equal(config.stateDir, '/var/lib/one');
  const two = 'upstreams: { a: { address: "http://a:1", namespace: x }, b: {} }';
  t.match(loadConfigText('/x.yaml', two, { env }).upstreams, [
    { addresses: ['http://a:1'], namespace: 'x', tls: { caFile: undefined } },
    { addresses: ['https://env:8200'], namespace: 'ns', tls: { caFile: '/ca' } },
  ]);
  t.match(problemsOf('upstreams: { v: {} }')[0], /missing address.*set it here or in \$VAULT_ADDR/);
  t.match(problemsOf('secrets: { a: { path: b } }')[0], /there is no upstream to ask; add one/);
});

t.test('reads each login with its parameters', async (t) => {
  const auth = (text: string) => {
    const source = `upstreams: { v: { address: "http://a:1", auth: ${text} } }`;
    const [upstream] = loadConfigText('/d/x.yaml', source, { env: {} }).upstreams;
    return upstream?.kind === 'vault' ? upstream.auth : undefined;
  };
  t.match(auth('{ method: token_file, path: t }'), { method: 'token_file', mount: 'token', path: '/d/t' });
  t.match(auth('{ method: approle, mount: auth/apps/, role_id: r, wrap_ttl: 90s }'), {
    mount: 'apps',
    roleId: 'r',
    removeSecretIdFile: true,
    secretIdWrapped: false,
    wrapTtlSeconds: 90,
    minBackoffMs: 1000,
    maxBackoffMs: 300_000,
  });
  t.match(auth('{ method: kubernetes, role: r }'), {
    path: '/var/run/secrets/kubernetes.io/serviceaccount/token',
  });
  t.match(auth('{ method: aws, role: r }'), { region: 'us-east-1' });
  t.match(auth('{ method: gcp, role: r, type: iam, service_account: s }'), {
    type: 'iam',
    serviceAccount: 's',
  });
  t.match(auth('{ method: ldap, username: u, password_file: /p }'), { passwordFile: '/p' });
  t.match(
    problemsOf('upstreams: { v: { address: "http://a:1", auth: { method: cert } } }')[0],
    /needs a client certificate; set tls\.cert_file and tls\.key_file/,
  );
  t.match(
    problemsOf('upstreams: { v: { address: "http://a:1", auth: { method: approle } } }')[0],
    /missing, expected one of role_id, role_id_file/,
  );
  t.match(
    problemsOf('upstreams: { v: { address: "http://a:1", auth: { mount: x } } }')[0],
    /auth\.method: missing, expected one of token, none, token_file/,
  );
});

t.test('keeps anchors, comments and empty sections as YAML has them', async (t) => {
  const config = load(`secrets: # none yet
files:
  - &one { destination: /a, contents: x, check: &check { command: [a] } }
  - { destination: /b, contents: y, check: *check }
`);
  t.strictSame(config.secrets, []);
  t.strictSame(config.files[1]?.check, { command: ['a'], timeoutMs: 10_000 });
});

t.test('a path is to the letter where no parameters are written down beside it', async (t) => {
  const secretsOf = (text: string) =>
    loadConfigText(
      '/etc/latchkey/x.yaml',
      `upstreams: { v: { address: "https://a:1" } }\nsecrets: ${text}\n`,
      {
        env: {},
        checks: 'text',
      },
    ).secrets;
  t.match(secretsOf('{ a: { path: "s/a?b=c", parameters: {} } }'), [
    { path: 's/a?b=c', isPathLiteral: true },
  ]);
  t.match(secretsOf('{ a: { path: "s/a?b=c" } }'), [{ path: 's/a?b=c', isPathLiteral: false }]);
});
