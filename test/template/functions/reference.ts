import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { functionNames } from '../../../src/template/functions.ts';

t.test('the reference page names every function', (t) => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/reference/templates.md'), 'utf8');
  const words = new Set(page.match(/\w+/g));
  const unnamed = functionNames().filter(
    (name) => !words.has(name) && !words.has(name.replace(/^sprig_/, '')),
  );
  t.same(unnamed, []);
  t.end();
});
