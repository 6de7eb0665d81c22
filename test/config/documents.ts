import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { load } from 'js-yaml';
import t, { type Test } from 'tap';
import { loadConfig } from '../../src/config/load.ts';
import {
  configJsonSchema,
  configKeys,
  configReference,
  isSharedLoginKey,
  usedKeys,
} from '../support/config-reference.ts';

const folder = new URL('../../', import.meta.url);
const path = (name: string) => fileURLToPath(new URL(name, folder));
const read = (name: string) => readFileSync(path(name), 'utf8');

/** With TAP_SNAPSHOT=1 the file is written; without, it must be what would be written. */
function holds(t: Test, name: string, expected: string): void {
  if (process.env['TAP_SNAPSHOT'] === '1') writeFileSync(path(name), expected);
  t.equal(read(name), expected, `${name} is what the schema says (TAP_SNAPSHOT=1 writes it)`);
}

t.test('the JSON Schema for editors is that of the schema', async (t) => {
  holds(t, 'config/latchkey.schema.json', `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
});

t.test('the reference page is that of the schema, and every key is explained', async (t) => {
  holds(t, 'docs/reference/config.md', configReference());
  t.notMatch(configReference(), / \| \|\n/);
});

t.test('the full example uses every key and is valid', async (t) => {
  const used = usedKeys(load(read('config/latchkey.full.yaml')));
  t.strictSame(
    configKeys().filter((key) => !used.includes(key) && !isSharedLoginKey(key)),
    [],
  );
  t.doesNotThrow(() => loadConfig([path('config/latchkey.full.yaml')], { env: {}, checks: 'none' }));
});

t.test('the minimal example is valid', async (t) => {
  const config = loadConfig([path('config/latchkey.minimal.yaml')], { env: {} });
  t.equal(config.files.length, 1);
});
