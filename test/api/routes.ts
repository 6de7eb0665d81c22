import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import t from 'tap';
import { pathOf, prefixOf, routes } from '../../src/api/routes.ts';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/reference/local-api.md'), 'utf8');

t.test('local-api.md lists every route, and none that is gone', (t) => {
  const table = page.slice(page.indexOf('| request |'), page.indexOf('## '));
  const listed = [...table.matchAll(/`(GET|POST) (\/[^`\s?]*)[^`]*`/g)]
    .map(([, method, path = '']) => `${method} ${path.replace(/@VERSION$/, '')}`)
    // The format of another system, with a page of its own.
    .filter((route) => route !== 'GET /metrics');
  const known = Object.values(routes).map(
    ({ method, path }) =>
      `${method} ${path.replaceAll(/\{([a-z]+)\}/g, (_, name: string) => name.toUpperCase())}`,
  );
  t.strictSame([...new Set(listed)].toSorted(), known.toSorted());
  t.end();
});

t.test('segments are escaped, a prefix ends where they begin', (t) => {
  t.equal(pathOf(routes.field, 'a/b', 'c d'), '/secrets/a%2Fb/c%20d');
  t.equal(pathOf(routes.status), '/status');
  t.equal(prefixOf(routes.drill), '/drill/');
  t.equal(prefixOf(routes.accessTest), '/access/test');
  t.end();
});
