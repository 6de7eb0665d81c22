import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { defaultLimits } from '../../../src/template/exec/limits.ts';
import { functionNames } from '../../../src/template/functions.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/reference/templates.md'), 'utf8');

t.test('the reference page names every function', (t) => {
  const words = new Set(page.match(/\w+/g));
  const unnamed = functionNames().filter(
    (name) => !words.has(name) && !words.has(name.replace(/^sprig_/, '')),
  );
  t.same(unnamed, []);
  t.end();
});

t.test('the reference page tells the bounds of an execution', (t) => {
  const { steps, outputBytes, valueDepth } = defaultLimits;
  t.match(page, `${steps.toLocaleString('en')} steps`);
  t.match(page, `${outputBytes / 2 ** 20} MiB of output`);
  t.match(page, `${valueDepth} values within values`);
  t.end();
});
