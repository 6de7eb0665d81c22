// The corpus of configurations and templates from the field, where it lies beside the checkout: every file accepted or refused
// as its tool does, understood the same, and every template giving the expected bytes.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runCorpus } from '../support/corpus/run-corpus.ts';

const folder = process.env['LATCHKEY_TEST_CORPUS'] ?? join(import.meta.dirname, '../../../shared/corpus');

t.test(
  'reads and renders the corpus',
  { timeout: 400_000, skip: existsSync(folder) ? false : `no ${folder}` },
  async (t) => {
    const { passed, failures, skipped } = await runCorpus([folder]);
    for (const { name, differences } of failures) t.fail(`${name}: ${differences.join('; ')}`);
    for (const [reason, names] of skipped) t.pass(`${names.length} templates`, { skip: reason });
    t.ok(passed > 0, `${passed} passed`);
  },
);
