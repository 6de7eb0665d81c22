// Each theme's table of cases, with what the real Go libraries gave for them.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readCases, runCase } from '../../support/conformance.ts';

const folder = join(import.meta.dirname, '../../fixtures/template-functions');

for (const name of readdirSync(folder).sort()) {
  t.test(`${name} gives what Go gives`, async (t) => {
    const failed: string[] = [];
    for (const test of readCases(join(folder, name))) {
      const difference = await runCase(test);
      if (difference !== null) failed.push(`${test.id}: ${difference}`);
    }
    t.same(failed, []);
  });
}
