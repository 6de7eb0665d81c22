// npm run --silent conformance -- FILE.json…: runs conformance cases, prints each failing one with what differs, then
// `N passed, N failed`. Without files: the fixtures' own.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readCases, runCase } from '../support/conformance.ts';

const fixtures = ['conformance', 'template-more'].map((folder) =>
  join(import.meta.dirname, '../fixtures', folder),
);
const named = process.argv.slice(2);
const files = named.length > 0 ? named : fixtures.flatMap(jsonFiles);

function jsonFiles(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return names.map((name) => join(folder, name));
}

let passed = 0;
let failed = 0;
for (const file of files) {
  for (const test of readCases(file)) {
    const difference = await runCase(test);
    if (difference === null) {
      passed++;
      continue;
    }
    failed++;
    console.log(`not ok ${test.group}/${test.id}: ${JSON.stringify(test.template)}\n  ${difference}\n`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
