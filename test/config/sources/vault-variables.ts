// What the environment says to the tools whose files are read: followed, told, or an error as theirs.
import t from 'tap';
import { loadConfigText } from '../../../src/config/load.ts';

type Variables = Record<string, string>;
const login =
  'auto_auth { method "token_file" { config = { token_file_path = "t" } } sink "file" { config = { path = "s" } } }\n';
const template = 'template { contents = "x" destination = "/tmp/x" }\n';
const asAgent = (env: Variables, text = '') =>
  loadConfigText('/x/agent.hcl', `${login}${template}${text}`, { env, checks: 'text' });
const asTemplate = (env: Variables, text = '') =>
  loadConfigText('/x/ct.hcl', `${template}${text}`, {
    ...{ env: { VAULT_ADDR: 'https://v.example', VAULT_TOKEN: 't', ...env }, checks: 'text' as const },
    foreign: { tool: 'consul-template' },
  });

t.test('timeout, rate and verification of the client are followed', async (t) => {
  for (const load of [asAgent, asTemplate]) {
    t.match(load({}).upstreams, [{ timeoutMs: 60_000, budget: { requestsPerSecond: 500 } }]);
    t.match(load({ VAULT_CLIENT_TIMEOUT: '7' }).upstreams, [{ timeoutMs: 7000 }]);
    t.match(load({ VAULT_CLIENT_TIMEOUT: '1m30s' }).upstreams, [{ timeoutMs: 90_000 }]);
    t.match(load({ VAULT_CLIENT_TIMEOUT: '0' }).upstreams, [{ timeoutMs: 60_000 }], 'their default');
    t.match(load({ VAULT_RATE_LIMIT: '12.5:30' }).upstreams, [{ budget: { requestsPerSecond: 12 } }]);
    t.match(load({ VAULT_SKIP_VERIFY: 'T' }).upstreams, [{ tls: { skipVerify: true } }]);
  }
  t.match(asAgent({ BAO_CLIENT_TIMEOUT: '3', VAULT_CLIENT_TIMEOUT: '9' }).upstreams, [{ timeoutMs: 3000 }]);
  t.match(asAgent({ BAO_CLIENT_TIMEOUT: '', VAULT_CLIENT_TIMEOUT: '9' }).upstreams, [{ timeoutMs: 60_000 }]);
  const said = 'vault { ssl { verify = true } }';
  t.match(asTemplate({ VAULT_SKIP_VERIFY: '1' }, said).upstreams, [{ tls: { skipVerify: false } }]);
});

t.test('what their client calls wrong is wrong here', async (t) => {
  const bad: [string, string, RegExp][] = [
    ['VAULT_CLIENT_TIMEOUT', 'soon', /expected a number of seconds or a duration/],
    ['VAULT_MAX_RETRIES', '-1', /expected a whole number, 0 or more/],
    ['VAULT_RATE_LIMIT', 'fast', /expected requests a second/],
    ['VAULT_SRV_LOOKUP', 'perhaps', /expected true or false/],
    ['VAULT_DISABLE_REDIRECTS', 'yes', /expected true or false/],
    ['VAULT_SKIP_VERIFY', 'on', /expected true or false/],
    ['VAULT_CLIENT_CERT_BYTES', '-----BEGIN', /put it into a file and name that in VAULT_CLIENT_CERT/],
  ];
  for (const [name, value, message] of bad) {
    for (const load of [asAgent, asTemplate])
      t.throws(() => load({ [name]: value }), { message: new RegExp(`\\$${name}: .*${message.source}`) });
  }
});

t.test('what has no counterpart is told', async (t) => {
  for (const load of [asAgent, asTemplate]) {
    t.match(
      load({ VAULT_SRV_LOOKUP: 'true' }).warnings.join(),
      /\$VAULT_SRV_LOOKUP: is ignored: no SRV record/,
    );
    t.match(load({ VAULT_MAX_RETRIES: '5' }).warnings.join(), /\$VAULT_MAX_RETRIES: is ignored/);
  }
  t.same(asAgent({ VAULT_DISABLE_REDIRECTS: '1' }).warnings, asAgent({}).warnings);
});

t.test('an agent asks the server itself, consul-template an agent where one is named', async (t) => {
  const env = { VAULT_AGENT_ADDR: 'http://127.0.0.1:8100' };
  const agent = asAgent({ ...env, VAULT_ADDR: 'https://v.example' });
  t.match(agent.upstreams, [{ addresses: ['https://v.example'] }]);
  t.match(agent.warnings.join(), /\$VAULT_AGENT_ADDR: is ignored, as there/);
  t.match(asTemplate(env).upstreams, [{ addresses: ['http://127.0.0.1:8100'] }]);
  t.match(asTemplate(env, 'vault { address = "https://file.example" }').upstreams, [
    { addresses: ['http://127.0.0.1:8100'] },
  ]);
});

t.test('env in a template sees the settings after the environment', async (t) => {
  const settings = 'vault { address = "https://file.example" ca_cert = "/file.pem" tls_server_name = "n" }\n';
  t.match(asAgent({ VAULT_CACERT: '/env.pem' }, settings).templates.env, {
    ...{ VAULT_ADDR: 'https://file.example', VAULT_CACERT: '/env.pem', BAO_CACERT: '/env.pem' },
    ...{ VAULT_TLS_SERVER_NAME: 'n', VAULT_SKIP_VERIFY: undefined },
  });
  t.match(asAgent({ VAULT_SKIP_VERIFY: 'true' }, settings).templates.env, { VAULT_SKIP_VERIFY: 'true' });
  const cached = asAgent({}, `${settings}cache {}\n`).templates.env;
  t.match(cached, {
    VAULT_ADDR: 'http://127.0.0.1:8200',
    VAULT_SKIP_VERIFY: 'true',
    VAULT_CACERT: undefined,
  });
  const consul =
    'consul { address = "c:1" token_file = "/t" ssl { verify = false ca_cert = "/c" } }\nvault { address = "https://v" }';
  t.match(asTemplate({}, consul).templates.env, {
    ...{ CONSUL_HTTP_ADDR: 'c:1', CONSUL_HTTP_TOKEN_FILE: '/t', CONSUL_HTTP_SSL: 'true' },
    ...{ CONSUL_HTTP_SSL_VERIFY: 'false', VAULT_ADDR: 'https://v', VAULT_SKIP_VERIFY: undefined },
  });
  t.match(asTemplate({}).templates.env, { CONSUL_HTTP_SSL: 'false', CONSUL_HTTP_SSL_VERIFY: 'true' });
  t.match(asTemplate({ VAULT_SKIP_VERIFY: 'true' }).templates.env, { VAULT_SKIP_VERIFY: 'true' });
});

t.test('what a program may not have is kept from it', async (t) => {
  const exec =
    'exec { command = ["x"] env { allowlist = ["A*"] whitelist = ["B"] denylist = ["AWS_*"] blacklist = ["C"] } }';
  t.match(asTemplate({}, exec).processes, [{ passEnv: ['A*', 'B', '!AWS_*', '!C'] }]);
  t.match(asTemplate({}, 'exec { command = ["x"] env { denylist = ["VAULT_*"] } }').processes, [
    { passEnv: ['*', '!VAULT_*'] },
  ]);
});

t.test('certificates and a token that stand in the file or a variable are used', async (t) => {
  const file =
    'vault { ssl { ca_cert_bytes = "PEM" } k8s_auth_role_name = "r" k8s_service_account_token = "jwt" }';
  const [upstream] = asTemplate({ VAULT_TOKEN: '' }, file).upstreams;
  t.match(upstream, { tls: { inline: { ca: 'PEM' } }, auth: { method: 'kubernetes', role: 'r' } });
  const auth =
    upstream?.kind === 'vault' && upstream.auth.method === 'kubernetes' ? upstream.auth : undefined;
  t.equal(auth?.token?.text(), 'jwt');
  t.match(asAgent({ VAULT_CACERT_BYTES: 'PEM' }).upstreams, [{ tls: { inline: { ca: 'PEM' } } }]);
  t.match(asAgent({ VAULT_CACERT_BYTES: 'PEM', VAULT_CACERT: '/f' }).upstreams, [
    { tls: { inline: undefined, caFile: '/f' } },
  ]);
});
