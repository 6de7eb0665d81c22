// What a vault issues, through the running agent: made once, kept to the end that whatever tells it, and made again in time.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createAuthority } from '../support/certificates.ts';
import { startAgent, type TestAgent } from '../support/cli.ts';
import { mountPki } from '../support/pki-engine.ts';
import { withEachVault } from '../support/served-vault.ts';
import { startStubVault } from '../support/stub-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(600_000);

const day = 86_400;

/** Undefined: the program is not there, or does not do it. */
function output(program: string, args: readonly string[], files: Record<string, string>, made?: string) {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-issued-'));
  try {
    for (const [name, text] of Object.entries(files))
      writeFileSync(join(folder, name), text, { mode: 0o600 });
    const { status, stdout } = spawnSync(program, args, { cwd: folder, env: { ...process.env, TZ: 'UTC' } });
    if (status !== 0) return undefined;
    return made === undefined ? stdout : readFileSync(join(folder, made));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const claims = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const jwt = (exp: number) => `${claims({ alg: 'none' })}.${claims({ exp, n: Math.random() })}.x`;

interface Issue {
  /** The answer to each request. */
  readonly data: (now: number) => Record<string, unknown>;
  /** Seconds of life that the agent has to find; undefined: none. */
  readonly life: number | undefined;
  readonly parameters?: string;
  /** A write unless it says so. */
  readonly isRead?: boolean;
}

/** Keys and certificates of a real authority in every form that engines give them in. */
async function certificates(): Promise<Record<string, Issue>> {
  const authority = await createAuthority();
  const { cert, key } = await authority.issue({ notAfter: new Date(Date.now() + day * 1000) });
  const files = { 'cert.pem': cert, 'key.pem': key };
  const der = cert.replace(/-----[^-]+-----|\s/g, '');
  const pair = ['-in', 'cert.pem', '-inkey', 'key.pem'];
  const open = ['-keypbe', 'NONE', '-certpbe', 'NONE', '-nomac', '-passout', 'pass:'];
  const pkcs12 = output('openssl', ['pkcs12', '-export', ...pair, ...open], files)?.toString('base64');
  const closed = output('openssl', ['pkcs12', '-export', ...pair, '-passout', 'pass:x'], files)?.toString(
    'base64',
  );
  const pkcs7 = output('openssl', ['crl2pkcs7', '-nocrl', '-certfile', 'cert.pem'], files)?.toString();
  const expiration = () => Math.round(Date.now() / 1000) + day;
  return {
    pem: { data: () => ({ certificate: cert, private_key: key }), life: day },
    der: { data: () => ({ certificate: der, private_key: 'x' }), life: day },
    pem_bundle: { data: () => ({ certificate: `${key}\n${cert}` }), life: day },
    ...(pkcs12 === undefined ? {} : { pkcs12: { data: () => ({ certificate: pkcs12 }), life: day } }),
    ...(closed === undefined
      ? {}
      : {
          pkcs12_closed: { data: () => ({ certificate: closed, expiration: expiration() }), life: day },
          pkcs12_untold: { data: () => ({ certificate: closed }), parameters: '"ttl=12h"', life: day / 2 },
        }),
    ...(pkcs7 === undefined ? {} : { pkcs7: { data: () => ({ certificate: pkcs7 }), life: day } }),
  };
}

const told: Record<string, Issue> = {
  secret_id: { data: () => ({ secret_id: 's', secret_id_ttl: day }), life: day },
  secret_id_endless: { data: () => ({ secret_id: 's', secret_id_ttl: 0 }), life: undefined },
  jwt: { data: (now) => ({ token: jwt(now + day) }), life: day },
  jwt_read: { data: (now) => ({ token: jwt(now + day), client_id: 'c' }), life: day, isRead: true },
  oidc_read: { data: () => ({ token: 'opaque', ttl: 3600 }), life: 3600, isRead: true },
  sts: {
    data: (now) => ({
      access_key: 'a',
      security_token: 's',
      expiration: new Date((now + 3600) * 1000).toISOString(),
    }),
    life: 3600,
  },
  sts_read: { data: () => ({ access_key: 'a', security_token: 's', ttl: 3600 }), life: 3600, isRead: true },
  ssh_otp: { data: () => ({ key: 'k', ttl: '1h' }), life: 3600 },
  ciphertext: { data: () => ({ ciphertext: 'vault:v1:x' }), life: undefined },
  datakey: { data: () => ({ plaintext: 'x', ciphertext: 'y' }), life: undefined },
  random: { data: () => ({ random_bytes: 'x' }), life: undefined },
};

const nameOf = (path: string) => path.replace(/^made\//, '');

interface Shown {
  path: string;
  state: string;
  obtained_at: string;
  expires_at: string | null;
  next: { action: string; at: string | null; why: string };
}

async function shown(agent: TestAgent): Promise<Map<string, Shown>> {
  const { secrets } = JSON.parse((await agent.ask('/status')).text) as { secrets: Shown[] };
  return new Map(secrets.map((secret) => [nameOf(secret.path), secret]));
}

t.test('whatever tells the life of what was issued, it is planned by that', async (t) => {
  const issues = { ...told, ...(await certificates()) };
  for (const name of ['pkcs12', 'pkcs7'])
    if (!(name in issues)) t.pass(name, { skip: 'openssl is not installed, or does not write it' });
  const vault = await startStubVault();
  t.teardown(vault.close);
  const counts: Record<string, number> = {};
  vault.route(({ path, method }) => {
    const issue = issues[nameOf(path)];
    if (!path.startsWith('made/') || issue === undefined) return undefined;
    if ((method === 'GET') !== (issue.isRead === true)) return { status: 405, json: { errors: [] } };
    counts[nameOf(path)] = (counts[nameOf(path)] ?? 0) + 1;
    return {
      json: { lease_id: '', lease_duration: 0, renewable: false, data: issue.data(Date.now() / 1000) },
    };
  });
  const agent = startAgent(t, {
    folder: testFolder(t),
    vault: { address: vault.address, rootToken: 's.token' },
    upstream: { events: false },
    config: {
      files: Object.entries(issues).map(([name, { parameters = '"a=b"', isRead }]) => ({
        // One of them fails on what it was given: that asks for no other.
        contents: `{{ with secret "made/${name}"${isRead ? '' : ` ${parameters}`} }}{{ .Data | toJSON }}{{ ${
          name === 'der' ? '.Data.none.nothing' : '""'
        } }}{{ end }}`,
        destination: name,
      })),
    },
  });
  const names = Object.keys(issues);
  await waitFor('all of it', () => names.every((name) => (counts[name] ?? 0) > 0));
  await waitFor('the plans', async () => {
    const now = await shown(agent);
    return names.every((name) => now.get(name)?.state === 'fresh');
  });
  const secrets = await shown(agent);
  for (const [name, { life }] of Object.entries(issues)) {
    const secret = secrets.get(name);
    if (secret === undefined) continue;
    t.equal(secret.next.action, 'replace', `${name}: ${secret.next.why}`);
    if (life === undefined) t.match(secret, { expires_at: null, next: { at: null } }, name);
    else {
      const from = Date.parse(secret.obtained_at);
      const lives = (Date.parse(secret.expires_at ?? '') - from) / 1000;
      t.ok(Math.abs(lives - life) < Math.max(4, life / 1000), `${name} lives ${lives} s`);
      const share = (Date.parse(secret.next.at ?? '') - from) / 1000 / life;
      t.ok(share > 0.69 && share < 0.86, `${name} is replaced at ${share}`);
    }
  }
  await agent.ask('/refresh', { method: 'POST' });
  t.strictSame(counts, Object.fromEntries(names.map((name) => [name, 1])), 'each was made once');
  await agent.stop();
});

t.test('what lives for seconds is made again in time, and no more often', async (t) => {
  const vault = await startStubVault();
  t.teardown(vault.close);
  const life = 16;
  const made: Record<string, number[]> = {};
  vault.route(({ path }) => {
    if (!path.startsWith('made/')) return undefined;
    const now = Date.now() / 1000;
    made[path] = [...(made[path] ?? []), now];
    const data = {
      'made/jwt': { token: jwt(now + life) },
      'made/id': { secret_id: String(now), secret_id_ttl: life },
      'made/sts': { access_key: String(now), expiration: Math.round(now + life) },
    }[path];
    return { json: { lease_id: '', data } };
  });
  const contents = ['jwt', 'id', 'sts'].map(
    (name) => `{{ with secret "made/${name}" "a=b" }}{{ .Data | toJSON }}{{ end }}`,
  );
  const agent = startAgent(t, {
    folder: testFolder(t),
    vault: { address: vault.address, rootToken: 's.token' },
    upstream: { events: false },
    config: {
      files: [{ contents: contents.join('\n'), destination: 'made' }],
    },
  });
  await waitFor('two of each', () =>
    ['jwt', 'id', 'sts'].every((n) => (made[`made/${n}`]?.length ?? 0) >= 2),
  );
  for (const [path, times] of Object.entries(made)) {
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
    t.ok(
      gaps.every((gap) => gap > life / 2 && gap < life),
      `${path}: ${gaps.map((gap) => gap.toFixed(1)).join(', ')} s`,
    );
  }
  await agent.stop();
});

t.test('a one-time password is read when its period ends, and no more often', async (t) => {
  const periodMs = 4000;
  const vault = await startStubVault();
  t.teardown(vault.close);
  const codeAt = (at: number): string => String(Math.floor(at / periodMs)).slice(-6);
  vault.route(({ path }) => {
    if (path.startsWith('sys/internal/ui/mounts/totp'))
      return { json: { data: { path: 'totp/', type: 'totp', options: null } } };
    if (path === 'totp/keys/app') return { json: { data: { period: periodMs / 1000 } } };
    return path === 'totp/code/app' ? { json: { data: { code: codeAt(Date.now()) } } } : undefined;
  });
  const folder = testFolder(t);
  const agent = startAgent(t, {
    folder,
    vault: { address: vault.address, rootToken: 's.token' },
    upstream: { events: false },
    config: {
      secrets: { code: { path: 'totp/code/app' } },
      files: [{ contents: '{{ field "code" "code" }}', destination: join(folder, 'code'), wait: '0s' }],
    },
  });
  await agent.untilReady();
  const begun = Date.now();
  const seen = new Set<string>();
  const old: string[] = [];
  await waitFor('three codes', () => {
    const found = readFileSync(join(folder, 'code'), 'utf8');
    // A code that has just ended is good for a moment yet; an older one is not.
    if (![codeAt(Date.now()), codeAt(Date.now() - periodMs)].includes(found)) old.push(found);
    return seen.add(found).size >= 3;
  });
  t.strictSame(old, []);
  const periods = Math.ceil((Date.now() - begun) / periodMs);
  t.ok(
    vault.count('totp/code/app') <= 2 * periods + 3,
    `${vault.count('totp/code/app')} in ${periods} periods`,
  );
  await agent.stop();
});

withEachVault(
  'a one-time password of a real server follows its periods',
  async (t, vault) => {
    await vault.ask('PUT', 'sys/mounts/totp', { type: 'totp' });
    await vault.ask('PUT', 'totp/keys/u', { generate: true, issuer: 'i', account_name: 'a', period: 4 });
    const folder = testFolder(t);
    const file = join(folder, 'code');
    const agent = startAgent(t, {
      folder,
      vault,
      config: {
        secrets: { code: { path: 'totp/code/u', refresh: '1h' } },
        files: [{ contents: '{{ field "code" "code" }}', destination: file, wait: '0s' }],
      },
    });
    await agent.untilReady();
    const seen = new Set<string>();
    await waitFor('three codes', () => seen.add(readFileSync(file, 'utf8')).size >= 3);
    await waitFor('the one of now', async () => {
      return (await vault.ask('GET', 'totp/code/u')).data.code === readFileSync(file, 'utf8');
    });
    await agent.stop();
  },
  { isRealOnly: true },
);

withEachVault(
  'engines of a real server: each is asked once',
  async (t, vault) => {
    const ask = vault.ask;
    await mountPki(vault);
    await ask('PUT', 'sys/mounts/ssh', { type: 'ssh' });
    await ask('PUT', 'ssh/config/ca', { generate_signing_key: true });
    await ask('PUT', 'ssh/roles/h', {
      key_type: 'ca',
      allow_host_certificates: true,
      allowed_domains: '*',
      allow_subdomains: true,
      ttl: '24h',
      allow_user_certificates: true,
      allowed_users: '*',
    });
    await ask('PUT', 'sys/mounts/transit', { type: 'transit' });
    await ask('PUT', 'transit/keys/k', {});
    await ask('PUT', 'sys/mounts/totp', { type: 'totp' });
    await ask('PUT', 'totp/keys/u', { generate: true, issuer: 'i', account_name: 'a' });
    await vault.createAppRole('app', { secret_id_ttl: '24h' });
    const key = output('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', 'k'], {}, 'k.pub')
      ?.toString()
      .trim();
    const signed = `secret "ssh/sign/h" "public_key=${key}" "cert_type=user" "valid_principals=a"`;
    const calls = [
      'secret "pki/issue/web" "common_name=a.example.com" "ttl=24h"',
      'secret "pki/issue/web" "common_name=b.example.com" "ttl=24h" "format=der"',
      'secret "auth/approle/role/app/secret-id" "metadata="',
      'secret "transit/encrypt/k" "plaintext=aGVsbG8="',
      'secret "transit/datakey/plaintext/k" "bits=256"',
      'secret "sys/tools/random" "format=hex"',
      ...(key === undefined ? [] : [signed]),
    ];
    const agent = await startIssuing(t, vault, calls);
    const { secrets } = JSON.parse((await agent.ask('/status')).text) as { secrets: Shown[] };
    for (const { path, next, expires_at, obtained_at } of secrets) {
      t.equal(next.action, 'replace', `${path}: ${next.why}`);
      const lives = (Date.parse(expires_at ?? '') - Date.parse(obtained_at)) / 1000;
      const isEndless = /transit|tools/.test(path);
      t.ok(isEndless ? expires_at === null : lives > 0.95 * day && lives < day + 60, `${path}: ${lives} s`);
    }
    t.equal(secrets.length, calls.length);
    const ids = await vault.ask('LIST', 'auth/approle/role/app/secret-id');
    t.equal(ids.data.keys.length, 2, 'the one of the set-up, and one');
    t.equal((await vault.ask('LIST', 'pki/certs')).data.keys.length, 3, 'the root, and two');
    await agent.stop();
  },
  { isRealOnly: true },
);

async function startIssuing(
  t: Test,
  vault: { address: string; rootToken: string },
  calls: readonly string[],
): Promise<TestAgent> {
  const agent = startAgent(t, {
    folder: testFolder(t),
    vault,
    config: {
      files: calls.map((call, index) => ({
        contents: `{{ with ${call} }}{{ .Data | toJSON }}{{ end }}`,
        destination: `file-${index}`,
      })),
    },
  });
  await agent.untilReady();
  return agent;
}
