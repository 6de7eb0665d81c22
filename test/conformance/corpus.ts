// npm run --silent corpus -- FOLDER…: runs every configuration (`NAME.hcl` or `.json` beside `NAME.expect.json`) and every
// template (`NAME.ctmpl` beside `NAME.meta.json`) below the folders, prints each failing one with what differs, then
// `N passed, N failed`.
import { runCorpus } from '../support/corpus/run-corpus.ts';

const folders = process.argv.slice(2);
if (folders.length === 0) {
  console.error('usage: npm run --silent corpus -- FOLDER…');
  process.exitCode = 2;
} else {
  const { passed, failures, skipped } = await runCorpus(folders);
  for (const { name, differences } of failures)
    console.log(`not ok ${name}\n  ${differences.join('\n  ')}\n`);
  for (const [reason, names] of skipped)
    console.log(`skipped ${names.length} (${reason}): ${names.join(' ')}`);
  console.log(`${passed} passed, ${failures.length} failed`);
  process.exitCode = failures.length > 0 ? 1 : 0;
}
