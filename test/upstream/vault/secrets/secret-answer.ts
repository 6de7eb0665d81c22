import t from 'tap';
import type { Operation } from '../../../../src/store/reference.ts';
import type { Mount } from '../../../../src/upstream/vault/secrets/kv-path-policy.ts';
import { toSecretAnswer } from '../../../../src/upstream/vault/secrets/secret-answer.ts';
import { createAuthority } from '../../../support/certificates.ts';

const wallMs = Date.UTC(2030, 0, 1);
const [kv1, kv2, other]: Mount[] = [
  { prefix: 'kv1/', kvVersion: 1 },
  { prefix: 'secret/', kvVersion: 2 },
  { prefix: 'database/', kvVersion: 0 },
];

function read(
  json: unknown,
  mount: Mount | undefined,
  operation: Operation = 'read',
  parameters: Record<string, string> = {},
) {
  const answer = {
    status: 200,
    headers: {},
    address: 'http://vault',
    body: Buffer.from(JSON.stringify(json)),
  };
  return toSecretAnswer(answer, { what: 'read x', operation, parameters, mount, wallMs });
}

t.test('KV 2: version, digest by data and version, end by deletion_time', async (t) => {
  const of = (data: unknown, metadata: object, requestId = '1') =>
    read({ request_id: requestId, lease_id: '', data: { data, metadata: { version: 1, ...metadata } } }, kv2);
  const first = of({ a: '1' }, {});
  t.match(first, {
    kind: 'static',
    content: { shape: 'kv2' },
    versionId: '1',
    ttlSeconds: undefined,
    lease: undefined,
  });
  t.equal(of({ a: '1' }, {}, 'another request').dataDigest, first.dataDigest);
  t.not(of({ a: '2' }, {}).dataDigest, first.dataDigest);
  t.not(of({ a: '1' }, { version: 2 }).dataDigest, first.dataDigest);
  const ending = of({ a: '1' }, { deletion_time: new Date(wallMs + 90_000).toISOString() });
  t.equal(ending.ttlSeconds, 90);
});

t.test('without a word on the mount the form of the answer tells KV 2', async (t) => {
  const json = { data: { data: { a: 1 }, metadata: { version: 3 } } };
  t.match(read(json, undefined), { content: { shape: 'kv2' }, versionId: '3' });
  t.match(read(json, kv1), { content: { shape: 'flat' } }, 'but a version 1 mount may hold such fields');
});

t.test('KV 1: a ttl field makes lease_duration mean something', async (t) => {
  t.match(read({ lease_id: '', lease_duration: 2764800, data: { a: '1' } }, kv1), {
    kind: 'static',
    ttlSeconds: undefined,
  });
  t.match(read({ lease_id: '', lease_duration: 300, data: { a: '1', ttl: '5m' } }, kv1), {
    kind: 'static',
    ttlSeconds: 300,
  });
});

t.test('leased: id, duration and renewability, and a new lease is new data', async (t) => {
  const of = (id: string, username: string) =>
    read({ lease_id: id, lease_duration: 3600, renewable: true, data: { username, password: 'p' } }, other);
  const answer = of('database/creds/app/1', 'u1');
  t.match(answer, {
    kind: 'leased',
    lease: { id: 'database/creds/app/1', durationSeconds: 3600, isRenewable: true },
  });
  t.not(of('database/creds/app/2', 'u2').dataDigest, answer.dataDigest);
});

t.test('rotating: ttl and the plan are bookkeeping', async (t) => {
  const of = (over: object) =>
    read(
      {
        data: {
          username: 'u',
          password: 'p',
          ttl: 86,
          rotation_period: 100,
          last_vault_rotation: '1',
          ...over,
        },
      },
      other,
    );
  const answer = of({});
  t.match(answer, { kind: 'rotating', ttlSeconds: 85.5, rotationMark: '1' });
  t.equal(of({ ttl: 12, last_vault_rotation: '2' }).dataDigest, answer.dataDigest);
  t.not(of({ password: 'q' }).dataDigest, answer.dataDigest);
  const scheduled = read(
    { data: { password: 'p', ttl: 5, rotation_schedule: '* * * * *', rotation_window: 60 } },
    other,
  );
  t.match(scheduled, { kind: 'rotating', ttlSeconds: 4.5 });
  const exact = (ago: number) =>
    of({ ttl: 80, last_vault_rotation: new Date(wallMs - ago * 1000).toISOString() }).ttlSeconds ?? 0;
  t.ok(Math.abs(exact(19.7) - 80.3) < 0.01, 'the last rotation tells it to the millisecond');
  t.equal(exact(25), 79.5, 'unless the clocks differ');
});

t.test('certificate: what a write issued ends with notAfter; what is only stored does not', async (t) => {
  const authority = await createAuthority();
  const notAfter = new Date(wallMs + 3_600_000);
  const { cert, key } = await authority.issue({ notAfter });
  const json = {
    lease_id: '',
    data: { certificate: cert, private_key: key, serial_number: '1', expiration: 1 },
  };
  t.match(read(json, other, 'write'), { kind: 'expiring', ttlSeconds: 3600 });
  t.match(read(json, other, 'read'), { kind: 'static', ttlSeconds: undefined });
  t.match(read({ data: { data: { certificate: cert }, metadata: { version: 1 } } }, kv2), { kind: 'static' });
  const broken = { data: { certificate: '-----BEGIN CERTIFICATE-----\nx', expiration: wallMs / 1000 + 60 } };
  t.match(read(broken, other, 'write'), { kind: 'expiring', ttlSeconds: 60 });
});

const told: [string, object, number | undefined][] = [
  ['a secret id', { secret_id: 'x', secret_id_ttl: 86_400 }, 86_400],
  ['a secret id without end', { secret_id: 'x', secret_id_ttl: 0 }, undefined],
  ['a duration in words', { key: 'x', ttl: '24h' }, 86_400],
  ['a duration in words, with zeros', { key: 'x', ttl: '1h0m0s' }, 3600],
  ['an end in seconds', { credential: 'x', expiration: wallMs / 1000 + 60 }, 60],
  ['an end as digits', { credential: 'x', valid_before: String(wallMs / 1000 + 60) }, 60],
  ['an end in milliseconds', { credential: 'x', expires_at: wallMs + 60_000 }, 60],
  ['an end as a date', { access_key: 'x', expiration: '2030-01-01T01:00:00Z' }, 3600],
  ['an end that is over', { access_key: 'x', expiration: '2029-01-01T01:00:00Z' }, 0],
  ['a JSON web token', { token: jwt({ exp: wallMs / 1000 + 600 }) }, 600],
  ['a token of its own kind', { token: 'a.b.c', ttl: 30 }, 30],
  ['nothing that ends', { ciphertext: 'vault:v1:x' }, undefined],
];

function jwt(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part(claims)}.x`;
}

for (const [what, data, ttlSeconds] of told) {
  t.test(`what a write issued: ${what}`, async (t) => {
    const answer = read({ lease_id: '', data }, other, 'write');
    t.equal(answer.kind, 'expiring', 'never polled');
    t.equal(answer.ttlSeconds, ttlSeconds);
  });
}

t.test('the ttl that was asked for counts where the answer tells none, and nothing else does', async (t) => {
  const data = { certificate: 'TUlJ', private_key: 'x' };
  t.equal(read({ data }, other, 'write', { ttl: '24h' }).ttlSeconds, 86_400);
  t.equal(
    read({ data: { ...data, expiration: wallMs / 1000 + 5 } }, other, 'write', { ttl: '24h' }).ttlSeconds,
    5,
  );
  const lease = { lease_id: 'aws/sts/a/1', lease_duration: 900, renewable: false };
  t.match(
    read({ ...lease, data: { access_key: 'x', ttl: 5 } }, other, 'write', { ttl: '24h' }),
    { kind: 'leased', lease: { durationSeconds: 900 }, ttlSeconds: undefined },
    'a lease tells more',
  );
});

t.test('what is read stays static unless it is a token that tells its end', async (t) => {
  t.match(read({ data: { token: jwt({ exp: wallMs / 1000 + 600 }) } }, other), { ttlSeconds: 600 });
  t.match(read({ data: { token: 'x' } }, other), { kind: 'static' });
  t.match(read({ data: { password: 'x', expiration: wallMs / 1000 + 60 } }, other), { kind: 'static' });
});

t.test('tokens that are issued end too', async (t) => {
  const auth = { auth: { client_token: 's.x', lease_duration: 60 } };
  t.match(read(auth, other, 'write'), { kind: 'expiring', ttlSeconds: 60 });
  t.match(read({ data: { token: 'ey', ttl: 30 } }, other), { kind: 'expiring', ttlSeconds: 30 });
});

t.test(
  'an answer without a body is a secret without fields, anything but an object is refused',
  async (t) => {
    const empty = { status: 204, headers: {}, address: 'http://vault', body: Buffer.alloc(0) };
    const context = { what: 'write x', operation: 'write', parameters: {}, mount: other, wallMs } as const;
    t.match(toSecretAnswer(empty, context), { kind: 'expiring', ttlSeconds: undefined }, 'not done again');
    t.match(toSecretAnswer(empty, { ...context, operation: 'read' }), {
      kind: 'static',
      content: { shape: 'flat' },
    });
    for (const text of ['[]', '"canary"', '{"a": canary']) {
      const answer = { status: 200, headers: {}, address: 'http://vault', body: Buffer.from(text) };
      const error = t.throws(() => toSecretAnswer(answer, context), { code: 'upstream_answer_invalid' });
      t.notMatch(String(error), 'canary');
    }
  },
);

t.test('what is no secret of a key/value engine empties none', async (t) => {
  const kv1 = { prefix: 'kv/', kvVersion: 1 } as const;
  for (const mount of [kv1, kv2]) {
    for (const json of [{}, { data: 'x' }, { data: null }, { message: 'sign in' }, { errors: [] }])
      t.throws(() => read(json, mount), { code: 'upstream_answer_invalid', message: /is no secret/ });
  }
  t.match(read({ data: { data: null, metadata: { version: 1 } } }, kv2), { kind: 'static' });
});

t.test(
  'a wrapped answer is a refusal, as nobody is there to open it; of a write it is what was asked for',
  async (t) => {
    const json = { data: null, wrap_info: { token: 's.canary', ttl: 60, creation_path: 'x' } };
    for (const mount of [kv2, other]) {
      for (const operation of ['read', 'list'] as const)
        t.throws(() => read(json, mount, operation), {
          code: 'denied',
          message: /^(?!.*canary).*is wrapped/,
        });
    }
    t.match(read(json, other, 'write'), { kind: 'expiring', ttlSeconds: 60 });
  },
);
