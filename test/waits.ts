// No test asserts that something took little by the clock on the wall: a machine that others keep busy makes anything slow now and
// then. `onceWithin` of support/wait-for.ts tries again.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import t from 'tap';

const here = import.meta.dirname;
const apart = /^(?:bench|soak|fixtures)\/|^support\/wait-for\.ts$|^waits\.ts$/;
/** So many seconds are no measure of speed, but tell an end from what would last for minutes. */
const leastMs = 10_000;

t.test('what is to be fast is tried until it was', (t) => {
  const files = readdirSync(here, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !apart.test(name))
    .map((name) => join(here, name));
  t.ok(files.length > 400, `${files.length} files`);
  const bounds = files.flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/\b(?:Date|performance)\.now\(\) - \w+ <=? ([\d_]+)/g)]
      .filter(([, bound = '']) => Number(bound.replaceAll('_', '')) < leastMs)
      .map(([text]) => `${relative(here, file)}: ${text}`),
  );
  t.strictSame(bounds, []);
  t.end();
});
