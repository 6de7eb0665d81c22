// What of hooks and their listeners is refused before anything starts.
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig, loadConfigText } from '../../src/config/load.ts';
import { testFolder } from '../support/test-folder.ts';

const rest = `
upstreams: { v: { address: "http://a:1" } }
secrets: { db-one: { path: secret/a }, db-two: { path: secret/b } }
`;
const listener = 'listeners: [{ tcp: "127.0.0.1:0", serve: [hooks] }]\n';
const load = (text: string) => loadConfigText('/x.yaml', `${rest}${text}`, { env: {}, checks: 'text' });
const hook = (keys: string, listeners = listener) => load(`${listeners}hooks: { app: ${keys} }\n`);
const hmac = 'hmac: { secret_file: /k }';

t.test('a listener for hooks alone needs no token, others do', async (t) => {
  t.match(hook(`{ ${hmac}, refresh: ["db-*"] }`), {
    listeners: [{ serve: ['hooks'], tokenFile: undefined, isOpen: false }],
    hooks: [{ name: 'app', refresh: ['db-*'], proof: { kind: 'hmac', signed: '{timestamp}.{body}' } }],
  });
  const refused: [string, RegExp][] = [
    ['listeners: [{ tcp: "127.0.0.1:0", serve: [hooks, secrets] }]\n', /missing token_file/],
    ['listeners: [{ tcp: "127.0.0.1:0", serve: [hooks], open: true }]\n', /open listener serves vault/],
    ['listeners: [{ tcp: "127.0.0.1:0", serve: [hooks], token_file: t }]\n', /asks for no token/],
    ['listeners: [{ tcp: "0.0.0.0:0", serve: [hooks] }]\n', /not loopback/],
    ['listeners: [{ tcp: "0.0.0.0:0", serve: [hooks], allow_remote: true }]\n', /not loopback/],
    ['listeners: [{ unix: /l.sock }]\n', /no listener takes it; add one with `serve: \[hooks\]`/],
    ['', /no listener takes it/],
  ];
  for (const [listeners, message] of refused)
    t.throws(() => hook(`{ ${hmac}, refresh: [db-one] }`, listeners), { message }, listeners);
});

t.test('a hook has one proof, and names secrets that are there', async (t) => {
  const jwt = 'issuer: i, audience: a';
  const refused: [string, RegExp][] = [
    ['{ refresh: [db-one] }', /missing, expected one of hmac, jwt/],
    [`{ ${hmac}, jwt: { jwks_file: f, ${jwt} }, refresh: [db-one] }`, /expected only one of hmac, jwt/],
    [`{ ${hmac} }`, /refresh/],
    [`{ ${hmac}, refresh: [] }`, /at least one name/],
    [`{ ${hmac}, refresh: [db-onee] }`, /unknown secret "db-onee"; did you mean db-one\?/],
    [`{ ${hmac}, refresh: ["dd-*"] }`, /fits no secret; did you mean db-\*\?/],
    ['{ hmac: {}, refresh: [db-one] }', /missing, expected one of secret_file, secret/],
    ['{ hmac: { secret: nobody }, refresh: [db-one] }', /unknown secret "nobody"/],
    ['{ hmac: { secret_file: f, signed: "{timestamp}" }, refresh: [db-one] }', /expected text with \{body\}/],
    [
      '{ hmac: { secret_file: f, signed: "{body}{date}" }, refresh: [db-one] }',
      /expected text with \{body\}/,
    ],
    [`{ jwt: { jwks_url: "http://keys.example/", ${jwt} }, refresh: [db-one] }`, /starts with https:/],
    [`{ jwt: { ${jwt} }, refresh: [db-one] }`, /missing, expected one of jwks_url, jwks_file/],
    ['{ jwt: { jwks_file: f, issuer: i, audience: [] }, refresh: [db-one] }', /at least one/],
    ['{ jwt: { jwks_file: f, issuer: i }, refresh: [db-one] }', /audience/],
  ];
  for (const [keys, message] of refused) t.throws(() => hook(keys), { message }, keys);
  t.match(hook(`{ jwt: { jwks_url: "http://127.0.0.1:1/k", ${jwt} }, refresh: ["*"] }`).hooks, [
    { proof: { kind: 'jwt', audience: ['a'] } },
  ]);
});

t.test('a key that is not there is told, unless the agent writes it', async (t) => {
  const folder = testFolder(t);
  const path = join(folder, 'latchkey.yaml');
  const text = `${rest}${listener}hooks: { app: { ${hmac.replace('/k', './hook.key')}, refresh: ["*"] } }\n`;
  const warnings = (more: string) => {
    writeFileSync(path, `${text}${more}`, { mode: 0o600 });
    return loadConfig([path], { env: { STATE_DIRECTORY: folder } }).warnings.join('\n');
  };
  t.match(warnings(''), /hooks\.app\.hmac\.secret_file: no such file: .*hook\.key; until it is there/);
  t.notMatch(warnings('files: [{ contents: x, destination: ./hook.key }]\n'), /no such file/);
  writeFileSync(join(folder, 'hook.key'), 'k', { mode: 0o600 });
  t.notMatch(warnings(''), /no such file/);
  chmodSync(join(folder, 'hook.key'), 0o644);
  t.throws(() => warnings(''), { message: /credential .*hook\.key can be read by everybody/ });
});
