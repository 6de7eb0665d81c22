// What of the contract can be asked of a service as it is, without writing there: for services that nobody can have here.
// LATCHKEY_TEST_UPSTREAMS names a JSON file: a list of {"upstream": {"kind", …}, "secret": PATH, "missing": PATH, "sha256"?: HEX}
// with the keys of `upstreams`; credentials come as the kind takes them (files, the environment).
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { type SecretAnswer, secretFields } from '../../src/store/secret-version.ts';
import { startKindSource } from '../support/kind-source.ts';

interface RealUpstream {
  readonly upstream: { readonly kind: string };
  readonly secret: string;
  readonly missing: string;
  /** Of the value; of fields of their JSON. */
  readonly sha256?: string;
}

const list = process.env['LATCHKEY_TEST_UPSTREAMS'];
const env = Object.fromEntries(
  Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined),
);

function bytesOf(answer: SecretAnswer): Buffer {
  const { content } = answer;
  if (content.form === 'bytes') return Buffer.from(content.value.bytes());
  return Buffer.from(JSON.stringify(secretFields(answer)));
}

if (list === undefined)
  t.pass('services as they are', { skip: 'LATCHKEY_TEST_UPSTREAMS names no file with upstreams to ask' });

for (const one of list === undefined ? [] : (JSON.parse(readFileSync(list, 'utf8')) as RealUpstream[])) {
  const { upstream, secret, missing, sha256 } = one;
  t.test(
    `${upstream.kind}: a secret, its version, one that is not there, and nothing of it told`,
    async (t) => {
      const { source, logs, read, isCurrent } = await startKindSource(t, upstream, { env });
      await source.ready(AbortSignal.timeout(60_000));
      const first = await read(secret);
      const value = bytesOf(first);
      t.ok(value.length > 0);
      if (sha256 !== undefined) t.equal(createHash('sha256').update(value).digest('hex'), sha256);
      const again = await read(secret);
      t.equal(again.dataDigest, first.dataDigest, 'the same data is the same');
      t.equal(again.versionId, first.versionId);
      t.not(await isCurrent(secret, first), false, 'it is still that one');
      const together = await Promise.all([read(secret), read(secret), read(secret)]);
      t.ok(together.every(({ dataDigest }) => dataDigest === first.dataDigest));
      // Some services deny what is not there, so as not to tell.
      await t.rejects(read(missing), { code: /^(?:not_found|denied)$/ });
      t.equal(source.status().state, 'ready', 'what is not there says nothing of the rest');
      const told = JSON.stringify([logs, source.status()]);
      t.notOk(told.includes(value.toString('utf8')), 'no value in the log or the status');
    },
  );
}
