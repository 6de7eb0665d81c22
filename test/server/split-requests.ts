// The answer to a request is the same wherever its packets end: the recorded requests again, each cut in two. LATCHKEY_SPLIT=all
// cuts them at every byte of their heads.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { recordAnswers } from '../support/recorded/record-answers.ts';

t.setTimeout(600_000);

const recorded = readFileSync(join(import.meta.dirname, '../fixtures/recorded/answers.txt'), 'utf8').split(
  /^(?=> )/m,
);
/** Behind it is no method any more, nor its space. */
const longestMethod = 8;
const longestHead = 220;

async function isSame(t: Test, what: string, splitAt: (length: number, index: number) => number) {
  const now = (await recordAnswers({ splitAt })).split(/^(?=> )/m);
  const other = now.find((block, index) => block !== recorded[index]);
  t.equal(other, undefined, what);
  t.equal(now.length, recorded.length);
}

for (let at = 1; at <= longestMethod; at += 1)
  t.test(`cut after ${at} bytes`, (t) => isSame(t, 'each answer', (length) => Math.min(at, length - 1)));

t.test('cut at another byte each', (t) =>
  isSame(t, 'each answer', (length, index) => 1 + ((index * 7) % (length - 1))),
);

t.test(
  'cut at every byte',
  { skip: process.env['LATCHKEY_SPLIT'] === 'all' ? false : 'takes minutes: LATCHKEY_SPLIT=all' },
  async (t) => {
    for (let at = longestMethod + 1; at <= longestHead; at += 1)
      await isSame(t, `after ${at} bytes`, (length) => Math.min(at, length - 1));
  },
);
