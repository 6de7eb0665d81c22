import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readCases, runCase } from '../support/conformance.ts';

for (const folder of ['conformance', 'template-more']) {
  const path = join(import.meta.dirname, '../fixtures', folder);
  for (const name of readdirSync(path).filter((file) => file.endsWith('.json'))) {
    t.test(`renders the cases of ${folder}/${name} as Go does`, async (t) => {
      for (const test of readCases(join(path, name))) t.equal(await runCase(test), null, test.id);
    });
  }
}
