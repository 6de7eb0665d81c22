import t from 'tap';
import { functionNames, isFunctionName, loadFunctions, loadThemes } from '../../src/template/functions.ts';

t.test('each theme has the functions that it is said to have', async (t) => {
  for (const { names, table } of await loadThemes()) {
    t.same(Object.keys(table).sort(), [...names].sort());
  }
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
