// Pages of the program that are let go come back when they are wanted.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { releaseProgramPages } from '../../../src/agent/host/release-pages.ts';

/** In KiB. */
function residentOf(kind: 'RssFile' | 'RssAnon'): number {
  return Number(
    new RegExp(`^${kind}:\\s+(\\d+) kB$`, 'm').exec(readFileSync('/proc/self/status', 'latin1'))?.[1],
  );
}

t.test('lets go of pages of the program alone, and loses nothing', (t) => {
  const held = { text: 'kept '.repeat(100_000), bytes: Buffer.alloc(1024 * 1024, 7) };
  const digest = (): string => createHash('sha256').update(held.text).update(held.bytes).digest('hex');
  const before = { file: residentOf('RssFile'), digest: digest() };
  for (let round = 0; round < 20; round += 1) releaseProgramPages();
  const after = residentOf('RssFile');
  t.ok(after < before.file - 8 * 1024, `${before.file} KiB before, ${after} after`);
  t.equal(digest(), before.digest);
  t.strictSame(runInNewContext('JSON.parse(text).map((n) => n ** 2)', { text: '[1,2,3]' }).join(), '1,4,9');
  t.equal(new Intl.NumberFormat('de').format(1234.5), '1.234,5');
  t.throws(() => JSON.parse('{'), SyntaxError);
  t.end();
});
