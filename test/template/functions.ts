import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { functionNames, isFunctionName, loadFunctions } from '../../src/template/functions.ts';

t.test('each function of each table can be called, and no other name', async (t) => {
  const folder = join(import.meta.dirname, '../../src/template');
  const found: string[] = [];
  for (const path of globSync('{exec,functions}/**/*.ts', { cwd: folder })) {
    const [, name] =
      /^export const (\w+): FunctionTable/m.exec(readFileSync(join(folder, path), 'utf8')) ?? [];
    if (name === undefined) continue;
    const module = (await import(join(folder, path))) as Record<string, object>;
    found.push(...Object.keys(module[name] ?? {}));
  }
  t.strictSame(found.sort(), [...functionNames()].sort());
});

t.test('every name loads, and none is there twice', async (t) => {
  const names = functionNames();
  t.equal(new Set(names).size, names.length);
  t.equal((await loadFunctions(names)).size, names.length);
});

t.test('knows nothing else', async (t) => {
  t.notOk(isFunctionName('sprig_env'));
  t.notOk(isFunctionName('constructor'));
  t.equal((await loadFunctions(['nope'])).size, 0);
});
