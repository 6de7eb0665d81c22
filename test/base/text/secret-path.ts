import t from 'tap';
import { splitQuery } from '../../../src/base/text/secret-path.ts';

t.test('only a query of pairs at the end of a configured path is one', async (t) => {
  const version = { version: '2' };
  t.same(splitQuery('a/b?version=2'), { path: 'a/b', parameters: version });
  t.same(splitQuery('a/b?version=2&x=%20y'), { path: 'a/b', parameters: { ...version, x: ' y' } });
  t.same(splitQuery('a?b?version=2'), { path: 'a?b', parameters: version });
  for (const name of ['app?prod', 'app?', 'a%3Fb', 'a#b', 'a?b/c=d?', '?', 'what?!'])
    t.same(splitQuery(name), { path: name, parameters: {} }, name);
});
