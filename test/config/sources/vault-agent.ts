// The files of Vault Agent as latchkey's resolved config, and what is told where they are wrong: in their own words.
import { join, resolve } from 'node:path';
import t from 'tap';
import { loadConfig, loadConfigText } from '../../../src/config/load.ts';
import { migrate } from '../../../src/config/migrate.ts';
import { ConfigError } from '../../../src/config/problems.ts';

const login =
  'auto_auth { method "token_file" { config = { token_file_path = "t" } } sink "file" { config = { path = "s" } } }\n';
const load = (text: string, env: Record<string, string> = {}) =>
  loadConfigText('/agent/agent.hcl', text, { env, checks: 'text' });
const problemsOf = (text: string) => {
  try {
    load(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.replaceAll('/agent/agent.hcl:', '').split('\n');
    throw error;
  }
  return [];
};

t.test('the environment counts before the file, and its own names before the old ones', async (t) => {
  const file = `vault { address = "https://file.example" }\n${login}`;
  const addressOf = (env: Record<string, string>) => {
    const [upstream] = load(file, env).upstreams;
    return upstream?.kind === 'vault' ? upstream.addresses[0] : undefined;
  };
  t.equal(addressOf({}), 'https://file.example');
  t.equal(addressOf({ VAULT_ADDR: 'https://vault.example' }), 'https://vault.example');
  t.equal(
    addressOf({ VAULT_ADDR: 'https://vault.example', BAO_ADDR: 'https://bao.example' }),
    'https://bao.example',
  );
  t.match(load(login).upstreams, [{ addresses: ['https://127.0.0.1:8200'] }], 'their default');
});

t.test('a variable that cannot be followed is told', async (t) => {
  t.throws(() => load(login, { VAULT_SKIP_VERIFY: 'maybe' }), {
    message: '$VAULT_SKIP_VERIFY: expected true or false',
  });
});

t.test('proxies of the environment count as there', async (t) => {
  const proxyOf = (address: string, env: Record<string, string>) => {
    const [upstream] = load(`${login}vault { address = "${address}" }`, env).upstreams;
    return upstream?.kind === 'vault' ? upstream.proxy : undefined;
  };
  const far = 'https://v.example';
  t.match(proxyOf(far, { HTTPS_PROXY: 'http://p:3128' }), { url: 'http://p:3128' });
  t.match(proxyOf(far, { BAO_HTTP_PROXY: 'b:1', HTTPS_PROXY: 'http://p:3128' }), { url: 'http://b:1' });
  t.equal(proxyOf(far, { HTTPS_PROXY: 'http://p:3128', NO_PROXY: '.example' }), undefined);
  t.equal(proxyOf('https://127.0.0.1:8200', { HTTPS_PROXY: 'http://p:3128' }), undefined);
  t.match(proxyOf('https://127.0.0.1:8200', { VAULT_PROXY_ADDR: 'http://p:3128' }), { url: 'http://p:3128' });
  t.match(proxyOf(far, { HTTPS_PROXY: 'socks5://u:p%40@s:1080' }), {
    ...{ url: 'socks5://s:1080', login: { name: 'u', password: 'p@' } },
  });
  t.throws(() => proxyOf(far, { HTTPS_PROXY: 'socks4://u:hidden@p' }), {
    message: /\$HTTPS_PROXY: expected the URL of a proxy such as (?!.*hidden)/,
  });
});

t.test('their defaults are kept', async (t) => {
  const config = load(
    `${login}template { contents = "x" destination = "out" }\nlistener "unix" { address = "/run/a.sock" tls_disable = true }\ncache {}`,
  );
  t.match(config.files, [{ mode: 0o644, createParents: true, destination: join(process.cwd(), 'out') }]);
  t.match(config.upstreams, [{ sinks: [{ mode: 0o640, path: join(process.cwd(), 's') }] }]);
  t.match(config.templates, { refreshMs: 300_000, sandboxPaths: ['/'], passesEnvironment: true });
  t.match(config.listeners, [
    { isOpen: true, mode: 0o755, useAutoAuthToken: 'never', serve: ['vault', 'metrics'] },
  ]);
});

t.test('what is wrong is told with the line, the column and the key of the file', async (t) => {
  t.strictSame(
    problemsOf(`${login}vault {\n}\nvault {}\n`),
    ['4:7: vault[1]: is there twice; expected one block vault'],
    'two blocks',
  );
  t.match(problemsOf(`${login}template {\n  contents = "x"\n  destnation = "y"\n}`), [
    /4:3: template\.destnation: unknown key; did you mean destination\?/,
  ]);
  t.match(problemsOf(`${login}exit_after_auth = "true"`), [
    /2:19: exit_after_auth: expected true or false, without quotes, got a string/,
  ]);
  t.match(problemsOf(`${login}template { contents = "x" destination = "y" perms = "0999" }`), [
    /perms: expected a mode such as "0640"/,
  ]);
  t.match(
    problemsOf('auto_auth { method "approle" {\n config = {} } sink "file" { config = { path = "s" } } }'),
    [/2:11: auto_auth\.method "approle"\.config: expected role_id_file_path in config/],
  );
});

t.test('a file that is itself a template, or no HCL, is called that', async (t) => {
  t.match(problemsOf('vault {\n  address = {{ vault_addr }}\n}'), [
    /2:1\d: \{\{ vault_addr \}\} stands where a value is expected: this file is a template as Ansible/,
  ]);
  t.match(problemsOf(['a = $', '{var.x}'].join('')), [
    /1:5: \$\{var\.x\} stands where a value is expected: this file is a template as Terraform/,
  ]);
  t.match(problemsOf('{% if x %}\nvault {}\n{% endif %}'), [/1:\d: \{% if x %\} stands where .*Jinja/]);
  t.match(problemsOf('vault { num = __NUM__ }'), [/__NUM__ stands where/]);
  t.match(problemsOf('---\nupstreams: {}\n'), [/1:1: expected HCL or JSON: this file is YAML/]);
});

t.test(
  'a namespace that is put before that of callers is told of: they name the whole one here',
  async (t) => {
    const listener = 'listener "tcp" { address = "127.0.0.1:1" tls_disable = true }';
    const warningsOf = (value: string) =>
      load(`${login}${listener}\napi_proxy { prepend_configured_namespace = ${value} }`).warnings.join('\n');
    t.match(
      warningsOf('true'),
      /api_proxy\.prepend_configured_namespace: is ignored: a caller names the whole/,
    );
    t.notMatch(warningsOf('false'), /prepend/);
  },
);

t.test('unknown keys elsewhere are warnings with the likely name', async (t) => {
  const { warnings } = load(
    `${login}cache {\n  use_auth_auth_token = true\n}\nlistener "tcp" { tls_disable = true }`,
  );
  t.match(warnings, [
    /agent\.hcl:3:3: cache\.use_auth_auth_token: is no key of this block and is ignored; did you mean use_auto_auth_token\?/,
  ]);
});

t.test('JSON and folders are recognised', async (t) => {
  const folder = t.testdir({
    conf: {
      'a.hcl': login,
      'b.json':
        '{"template": [{"contents": "x", "destination": "/x"}, {"contents": "y", "destination": "/y", "perms": 416}]}',
      '.#a.hcl': 'of an editor',
    },
  });
  const config = loadConfig([join(folder, 'conf')], { env: {}, checks: 'text' });
  t.match(config.files, [{ destination: '/x' }, { destination: '/y', mode: 0o640 }]);
  t.equal(config.sources.length, 2);
});

t.test('the other tool is found out by its keys', async (t) => {
  const config = loadConfigText(
    '/x/c.hcl',
    'vault { address = "http://a:1" token = "hvs.abc" }\ntemplate { source = "a" destination = "b" }',
    { env: {}, checks: 'text' },
  );
  t.match(config.upstreams, [{ auth: { method: 'token' } }]);
  t.notMatch(JSON.stringify(config), /hvs\.abc/, 'the token is shown nowhere');
  t.match(config.templates.env, { VAULT_ADDR: 'http://a:1' });
  const variables = loadConfigText(
    '/x/e.hcl',
    'vault { address = "http://a:1" }\nsecret { path = "secret/a/b" }\nupcase = true\nexec { command = "run me" }',
    { env: {}, checks: 'text' },
  );
  t.match(variables.processes, [
    { command: ['sh', '-c', 'run me'], envFrom: [{ prefix: 'secret_a_b_', isUpperCase: true }] },
  ]);
});

t.test('what stands in a string and was not filled in is told', async (t) => {
  const { warnings } = load(
    `${login}vault { namespace = "{{ ns }}" }\ntemplate { contents = "{{ 1 }}" destination = "/x/__APP__" }`,
  );
  t.match(warnings, [
    /agent\.hcl:2:21: vault\.namespace: \{\{ ns \}\} looks like a place that nobody filled in/,
    /template\.destination: __APP__ looks like/,
  ]);
  for (const found of ['{{ .Values.addr }}', '<%= @addr %>', '$VAULT_ADDR', '@ADDR@', '%ADDR%', '<no value>'])
    t.same(
      problemsOf(`${login}vault { address = "${found}" }`),
      [
        `2:19: vault.address: expected a URL that starts with https:// or http://; ${found} stands there: fill this file in first`,
      ],
      'where it is the reason why the file is refused too',
    );
  t.same(
    load(
      `${login}vault { namespace = "a@b" }\ntemplate { contents = "$A @B@ %C%" destination = "/$x/100%" command = "echo $A" }`,
    ).warnings,
    [],
    'what only looks a little like it is not',
  );
});

t.test('each listener has a place of its own, and is open for what an agent serves alone', async (t) => {
  const listener = (port: number, more = '') =>
    `listener "tcp" { address = "127.0.0.1:${port}" tls_disable = true ${more} }\n`;
  const { listeners } = load(login + listener(1, 'role = "metrics_only"') + listener(2));
  t.strictSame(
    listeners.map(({ place }) => place),
    ['listener "tcp"[0]', 'listener "tcp"[1]'],
  );
  t.match(listeners, [
    { isOpen: true, serve: ['metrics'], tokenFile: undefined },
    { serve: ['vault', 'metrics'] },
  ]);
});

t.test('a latchkey.yaml beside it adds what the other tool has not', async (t) => {
  const folder = t.testdir({
    'agent.hcl': `${login}template { contents = "x" destination = "/x" }\nlistener "unix" { address = "/run/v.sock" tls_disable = true }`,
    'admin.yaml':
      'listeners: [{ unix: /run/l.sock, serve: [secrets, admin] }]\nsecrets: { app: { path: secret/app } }\n',
  });
  const config = loadConfig(
    ['agent.hcl', 'admin.yaml'].map((name) => join(folder, name)),
    { env: {}, checks: 'text' },
  );
  t.match(config.listeners, [{ isOpen: true }, { isOpen: false, serve: ['secrets', 'admin'] }]);
  t.match(config.secrets, [{ name: 'app', upstream: 'vault' }]);
  t.match(config.files, [{ destination: '/x' }]);
});

t.test('a decimal number is the mode that it is there, and told', async (t) => {
  const { files, upstreams, warnings } = load(
    `auto_auth { method "token_file" { config = { token_file_path = "t" } } sink "file" { config = { path = "s" mode = 640 } } }
template { contents = "x" destination = "/x" perms = 644 }
template { contents = "x" destination = "/y" perms = 0644 }`,
  );
  t.match(files, [{ mode: 0o204 }, { mode: 0o644 }]);
  t.match(upstreams, [{ sinks: [{ mode: 0o200 }] }]);
  t.match(warnings, [
    /mode: is a decimal number, of which 0200 is left/,
    /template\[0\]\.perms: is a decimal number, of which 0204 is left/,
  ]);
});

t.test('takes the methods of clouds, and says what helps instead of those it has not', async (t) => {
  const auth = (method: string) => {
    const text = `auto_auth {\n method ${method}\n sink "file" { config = { path = "/t" } }\n}`;
    const [upstream] = loadConfigText('/x/agent.hcl', text, { env: {}, checks: 'text' }).upstreams;
    return upstream?.kind === 'vault' ? upstream.auth : undefined;
  };
  t.match(auth('"aws" { config = { type = "ec2" role = "web" nonce = "n" } }'), {
    ...{ method: 'aws', type: 'ec2', nonce: 'n' },
  });
  t.match(auth('"alicloud" { config = { role = "web" region = "eu-central-1" } }'), {
    ...{ method: 'alicloud', region: 'eu-central-1', mount: 'alicloud' },
  });
  t.match(auth('"cf" { mount_path = "auth/pcf" config = { role = "web" } }'), {
    ...{ method: 'cf', role: 'web', mount: 'pcf', certFile: undefined },
  });
  t.match(auth('"pcf" { config = { role = "web" } }'), { method: 'cf', mount: 'pcf' }, 'its older name');
  const kerberos = 'username = "a" service = "HTTP/v" realm = "R" keytab_path = "k" krb5conf_path = "/c"';
  t.match(auth(`"kerberos" { config = { ${kerberos} disable_fast_negotiation = true } }`), {
    ...{ method: 'kerberos', username: 'a', keytabFile: resolve('k'), krb5ConfFile: '/c' },
  });
  t.throws(() => auth('"kerberos" { config = { username = "a" } }'), { message: /expected krb5conf_path/ });
  t.match(
    auth(
      '"gcp" { config = { type = "iam" role = "a" jwt_exp = "20" service_account = "s" credentials = "{}" } }',
    ),
    { method: 'gcp', jwtSeconds: 1200, serviceAccount: 's', key: { text: Function } },
  );
  t.match(auth('"azure" { config = { role = "a" resource = "r" client_id = "c" scope = "s" } }'), {
    ...{ method: 'azure', clientId: 'c', objectId: undefined, scope: 's' },
  });
  t.throws(() => auth('"azure" { config = { role = "a" resource = "r" client_id = "c" object_id = "o" } }'), {
    message: /expected one of them/,
  });
  const ldap = 'username = "a" password_file_path = "/p"';
  t.match(auth(`"ldap" { config = { ${ldap} } }`), { removeFile: true, removesTarget: false });
  t.match(auth(`"ldap" { config = { ${ldap} remove_password_after_reading = false } }`), {
    removeFile: false,
  });
  t.match(auth('"jwt" { config = { path = "/p" role = "r" remove_jwt_follows_symlinks = true } }'), {
    ...{ removeFile: true, removesTarget: true },
  });
  t.throws(() => auth('"radius" { config = { username = "a" } }'), { message: /"radius" is not known/ });
  t.match(auth('"oci" { config = { role = "a", type = "instance" } }'), { method: 'oci', type: 'instance' });
  t.throws(() => auth('"oci" { config = { role = "a" } }'), { message: /expected type in config/ });
  t.throws(() => auth('"oci" { config = { role = "a", type = "x" } }'), {
    message: /expected apikey or instance/,
  });
  t.throws(() => auth('"aws" { config = { type = "x" role = "a" } }'), {
    message: /expected iam or ec2, got "x"/,
  });
  t.throws(() => auth('"alicloud" { config = { role = "a" region = "b" access_key = "c" } }'), {
    message: /agent\.hcl:2:\d+: .*access_key: expected access_key and access_secret/,
  });
});

t.test('reads odd forms as their own reader does', async (t) => {
  const sinksOf = (text: string) => {
    const [upstream] = load(text).upstreams;
    return upstream?.kind === 'vault' ? upstream.sinks.map(({ path }) => path) : [];
  };
  const method = '"method": [{ "type": "token_file", "config": { "token_file_path": "/t" } }]';
  const sink = '{ "type": "file", "config": { "path": "/s" } }';
  for (const sinks of [
    `"sink": ${sink}`,
    `"sink": [${sink}]`,
    `"sinks": [{ "sink": ${sink} }]`,
    `"sinks": { "sink": ${sink} }`,
  ]) {
    t.same(sinksOf(`{ "auto_auth": { ${method}, ${sinks} } }`), ['/s'], sinks);
  }
  const hcl = (rest: string) =>
    `auto_auth {\n method "token_file" { config = { token_file_path = "/t" } }\n sink "file" { config = { path = "/s" } }\n}\n${rest}`;
  t.doesNotThrow(() => load(hcl('unknown = 08')), 'a number that is none, where nobody asks for it');
  t.throws(() => load(hcl('vault { retry { num_retries = 08 } }')), {
    message: /num_retries/,
  });
  t.match(load(hcl('template { contents = "x" destination = "/d" perms = 420.5 }')).files, [{ mode: 0o644 }]);
  t.throws(() => load(hcl('template { contents = "x" destination = "/d" WAIT { min = "1s" } }')), {
    message: /expected a block wait in braces, got another spelling of its name/,
  });
});

t.test('keys of a cloud that stand in the file are used, told of, and shown nowhere', async (t) => {
  const text = (method: string) =>
    `auto_auth {\n method ${method}\n sink "file" { config = { path = "/t" } }\n}`;
  for (const method of [
    '"aws" { config = { role = "a" access_key = "AKIA1" secret_key = "canary-1" session_token = "canary-2" } }',
    '"alicloud" { config = { role = "a" region = "b" access_key = "AKIA1" access_secret = "canary-1" access_token = "canary-2" } }',
  ]) {
    const config = loadConfigText('/x/agent.hcl', text(method), { env: {}, checks: 'text' });
    const [upstream] = config.upstreams;
    const auth = upstream?.kind === 'vault' ? upstream.auth : undefined;
    const keys = auth !== undefined && 'keys' in auth ? auth.keys : undefined;
    t.equal(keys?.id, 'AKIA1');
    t.equal(keys?.secret.text(), 'canary-1');
    t.equal(keys?.sessionToken?.text(), 'canary-2');
    t.match(config.warnings.join('\n'), /agent\.hcl:2:\d+: .*secret.*: stands in the file/);
    const { yaml, notes } = migrate([{ file: '/x/agent.hcl', text: text(method) }]);
    t.notMatch(JSON.stringify([config, yaml, notes]), /canary/);
  }
});

t.test('keys that do nothing here have the types of their reader, where it has some', async (t) => {
  const listener = (key: string) => `${login}listener "tcp" { tls_disable = true\n ${key} }\n`;
  const template = 'template { contents = "x" destination = "/d" }\n';
  const good = [
    listener('http_read_timeout = 0.5'),
    listener('max_request_size = "1024"'),
    listener('cors_allowed_origins = ["a"]'),
    listener('telemetry { unauthenticated_metrics_access = true }'),
    listener('x_forwarded_for_authorized_addrs = "10.0.0.0/8, ::1"'),
    listener('proxy_protocol_authorized_addrs = ["127.0.0.1", "[::1]:80"]'),
    `${login}${template}template_config { lease_renewal_threshold = "0.75" max_connections_per_host = "10" }`,
    `${login}${template}template_config { static_secret_render_interval = 1.5 }`,
  ];
  for (const text of good) t.same(problemsOf(text), [], text.slice(login.length));
  const bad = [
    listener('max_request_size = "1 MB"'),
    listener('cors_allowed_origins = "a"'),
    listener('telemetry = true'),
    listener('profiling = ["a"]'),
    listener('x_forwarded_for_authorized_addrs = "10.0.0.0/8, host"'),
    `${login}cluster_name = true`,
    `${login}${template}template_config { static_secret_render_interval = "1.5" }`,
  ];
  for (const text of bad) t.equal(problemsOf(text).length, 1, text.slice(login.length));
});
