// Answers are the same to the byte as they were recorded, in every dialect; TAP_SNAPSHOT=1 records them again.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { recordAnswers } from '../support/recorded/record-answers.ts';

const path = join(import.meta.dirname, '../fixtures/recorded/answers.txt');

t.test('every dialect answers to the byte what was recorded', async (t) => {
  const answers = await recordAnswers();
  if (process.env['TAP_SNAPSHOT'] === '1') writeFileSync(path, answers);
  const recorded = readFileSync(path, 'utf8').split(/^(?=> )/m);
  const now = answers.split(/^(?=> )/m);
  t.equal(now.length, recorded.length);
  for (const [index, block] of now.entries())
    t.equal(block, recorded[index], block.slice(0, block.indexOf('\n')));
});
