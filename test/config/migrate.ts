// `latchkey migrate`: the text of latchkey.yaml means what the files mean, and its report says what does not come over.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig } from '../../src/config/load.ts';
import { differences, migrate } from '../../src/config/migrate.ts';

const agent = `
pid_file = "/run/agent.pid"
vault { address = "https://vault.example:8200" retry { num_retries = 5 } }
auto_auth {
  method "approle" {
    mount_path = "auth/hosts"
    config = { role_id_file_path = "/etc/role", secret_id_file_path = "/etc/secret" }
  }
  sink "file" { config = { path = "/run/token", mode = 0600 } wrap_ttl = "5m" }
}
cache { use_auth_auth_token = true }
listener "unix" { address = "/run/agent.sock" socket_mode = "0660" tls_disable = true }
template_config { exit_on_retry_failure = true static_secret_render_interval = "10m" }
template {
  contents = <<-EOT
    {{ with secret "secret/app" }}
    x={{ .Data.data.x }}
    {{ end }}
    EOT
  destination = "/etc/app.conf"
  command = "systemctl reload app, please"
  wait { min = "2s" max = "10s" }
}
`;

t.test('gives a text that means the same', async (t) => {
  const folder = t.testdir({ 'agent.hcl': agent });
  const file = join(folder, 'agent.hcl');
  const { yaml, tool, notes } = migrate([{ file, text: agent }]);
  t.equal(tool, 'vault-agent');
  t.strictSame(differences([file], yaml), []);
  t.match(yaml, /wrap_ttl: 5m/);
  t.match(yaml, /wait: 2s\.\.10s/);
  t.match(yaml, /give_up_after: 7\.75s|give_up_after: 7750ms/, 'five tries');
  t.match(yaml, /refresh: 10m/);
  t.match(
    notes.map(({ origin, message }) => `${origin.name}: ${message}`),
    [/cache\.use_auth_auth_token: .*did you mean use_auto_auth_token\?/],
  );
});

t.test('tells what differs where the text was changed', async (t) => {
  const folder = t.testdir({ 'agent.hcl': agent });
  const file = join(folder, 'agent.hcl');
  const { yaml } = migrate([{ file, text: agent }]);
  t.strictSame(differences([file], yaml.replace('refresh: 10m', 'refresh: 30s')), [
    'templates.refreshMs: 600000 there, 30000 here',
  ]);
});

t.test('a folder of files is one configuration', async (t) => {
  const folder = join(t.testdir({}), 'conf');
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'a.hcl'),
    'vault { address = "https://a.example" }\nauto_auth { method { type = "cert" config = { client_cert = "c" client_key = "k" } } }',
  );
  writeFileSync(
    join(folder, 'b.json'),
    '{"vault": {"address": "https://b.example"}, "template": [{"contents": "x", "destination": "/x"}]}',
  );
  const files = ['a.hcl', 'b.json'].map((name) => ({
    file: join(folder, name),
    text: readFileSync(join(folder, name), 'utf8'),
  }));
  const { yaml } = migrate(files);
  t.match(yaml, /address: https:\/\/b\.example/, 'the later block');
  t.match(yaml, /destination: \/x/);
  t.strictSame(
    differences(
      files.map(({ file }) => file),
      yaml,
    ),
    [],
  );
});

t.test('a certificate or a token within the file is not dropped without a word', async (t) => {
  const vault = (inside: string) =>
    `vault {\n  address = "https://v:8200"\n  ${inside}\n}\ntemplate {\n  contents = "x"\n  destination = "y"\n}\n`;
  const read = (inside: string) => migrate([{ file: '/etc/consul-template.hcl', text: vault(inside) }]);
  for (const [inside, name] of [
    ['ssl { ca_cert_bytes = "PEM" }', 'vault.ssl.ca_cert_bytes'],
    ['k8s_auth_role_name = "r"\nk8s_service_account_token = "hidden"', 'vault.k8s_service_account_token'],
  ] as const) {
    const { yaml, notes } = read(inside);
    const told = notes.find(({ origin }) => origin.name === name);
    t.match(told, { kind: 'differs', message: /put it into a file|does not come into latchkey\.yaml/ });
    t.notMatch(yaml, /hidden/);
  }
  t.doesNotThrow(() => read('k8s_service_account_token = ""'));
});

t.test('shows what needs Consul as without a counterpart, and runs nothing without it', async (t) => {
  const text = `vault { address = "https://vault.example" ssl { cert = "/both.pem" } }
prefix { path = "config/app" }
secret { path = "secret/app" }
exec { command = "env" }
`;
  const folder = t.testdir({ 'e.hcl': text });
  const path = join(folder, 'e.hcl');
  const { yaml, notes } = migrate([{ file: path, text }], { tool: 'envconsul' });
  t.match(notes, [
    { kind: 'advice' },
    { kind: 'ignored', message: /needs Consul/, origin: { name: 'prefix' } },
  ]);
  t.match(yaml, /cert_file: \/both\.pem\n\s+key_file: \/both\.pem/, 'one file of both, as there');
  t.same(differences([path], yaml, { tool: 'envconsul' }), []);
  t.throws(() => loadConfig([path], { env: {}, checks: 'text', foreign: { tool: 'envconsul' } }), {
    message: /e\.hcl:2:8: prefix: needs Consul/,
  });
});
