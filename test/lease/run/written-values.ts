import { randomBytes } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { SecretValue } from '../../../src/base/secret-value.ts';
import { createHandOver } from '../../../src/lease/run/hand-over.ts';
import { createWrittenValues } from '../../../src/lease/run/written-values.ts';
import type { SecretVersion } from '../../../src/store/secret-version.ts';
import { testFolder } from '../../support/test-folder.ts';

const pem = (what: string) => `-----BEGIN ${what}-----\nQUJD\n-----END ${what}-----`;

function version(fields: object, over: Partial<SecretVersion> = {}): SecretVersion {
  const json = SecretValue.fromText(JSON.stringify(fields));
  const content = { form: 'fields' as const, json };
  const common = { number: 1, obtainedAt: 0, expiresAt: undefined, dataDigest: '' };
  return { ...common, content, kind: 'expiring', ...over };
}

function isFound(bytes: string, one: SecretVersion): boolean {
  const written = createWrittenValues(() => undefined);
  written.note({ path: '/f', owner: 7 }, Buffer.from(bytes), new Map([['key', one]]))();
  return written.copiesOf('key', one.content).length === 1;
}

t.test('a file counts that has all of a value which would let somebody in', async (t) => {
  const key = pem('RSA PRIVATE KEY');
  const certificate = {
    certificate: pem('CERTIFICATE'),
    ca_chain: [pem('CERTIFICATE')],
    serial_number: '1f',
  };
  const whole = { ...certificate, private_key: `${key}\n`, expiration: 1_900_000_000, not_before: 1 };
  t.ok(isFound(`${key}\n`, version(whole)), 'what is public need not be in it');
  t.notOk(isFound(certificate.certificate, version(whole)), 'the key must');
  t.notOk(isFound('', version({ certificate: `${certificate.certificate}\n${key}` })), 'also in a bundle');
  t.notOk(isFound('', version({ certificate: 'MIIKeystore' })), 'or a keystore');
  t.notOk(isFound(key, version({ ...whole, extra: { deep: ['other'] } })), 'and so must all else');
  t.ok(
    isFound(
      'a "s-1" 42',
      version({ secret_id: 's-1', pin: 42, secret_id_accessor: 'x', secret_id_ttl: 5, on: true }),
    ),
  );
  t.notOk(isFound('a "s-1"', version({ secret_id: 's-1', pin: 42 })));
  const lease = { id: 'l', durationSeconds: 1, isRenewable: false };
  t.notOk(isFound(key, version(whole, { lease })), 'a lease ends with its token');
  t.notOk(isFound(key, version(whole, { kind: 'static' })), 'what is read again anyway is not kept');
});

t.test('another content of the file takes the place of the one before', async (t) => {
  let saves = 0;
  const written = createWrittenValues(() => {
    saves += 1;
  });
  const [one, two] = [version({ token: 'one' }), version({ token: 'two' })];
  const put = (bytes: string, ...versions: SecretVersion[]) =>
    written.note(
      { path: '/f', owner: undefined },
      Buffer.from(bytes),
      new Map(versions.map((v) => ['key', v])),
    );
  const commit = put('one', one);
  t.strictSame(written.copiesOf('key', one.content), [], 'not before it is there');
  commit();
  t.equal(written.copiesOf('key', one.content).length, 1);
  put('two', two)();
  t.strictSame(written.copiesOf('key', one.content), []);
  t.equal(written.copiesOf('key', two.content).length, 1);
  put('no secret')();
  t.strictSame(written.copiesOf('key', two.content), []);
  put('no secret')();
  t.equal(saves, 3, 'what holds none, and held none, is nothing to write down');
});

t.test('opened by the very bytes of the file alone, where nobody else has a hand in it', async (t) => {
  const folder = testFolder(t);
  const path = join(folder, 'token');
  const one = version({ token: 'CANARY' });
  const written = createWrittenValues(() => undefined);
  written.note({ path, owner: undefined }, Buffer.from('CANARY\n'), new Map([['key', one]]))();
  const originOf = () => 'https://vault';
  const answer = { content: one.content, kind: one.kind, dataDigest: '' };
  const value = { upstream: 'vault', key: 'key', answer, obtainedAt: 1, ownEnd: undefined, lifeMs: 1 };
  const record = createHandOver({ key: randomBytes(32), written, originOf }).seal(value);
  t.notMatch(JSON.stringify(record), /CANARY|Q0FOQVJZ/);
  const isTaken = (over: { originOf?: () => string } = {}) => {
    const next = createHandOver({ key: randomBytes(32), written, originOf, ...over });
    next.adopt([record]);
    return next.take('key') !== undefined;
  };
  t.notOk(isTaken(), 'no file');
  writeFileSync(path, 'CANARY', { mode: 0o600 });
  t.notOk(isTaken(), 'another content');
  writeFileSync(path, 'CANARY\n');
  t.ok(isTaken());
  t.notOk(isTaken({ originOf: () => 'https://elsewhere' }), 'another upstream');
  chmodSync(folder, 0o777);
  t.notOk(isTaken(), 'a folder that everybody can write');
});
