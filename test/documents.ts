// Links and names in the documents lead somewhere.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import t from 'tap';

const root = resolve(import.meta.dirname, '..');
const pages = [
  ...['README.md', 'SECURITY.md', 'CONTRIBUTING.md', 'CHANGELOG.md'],
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

t.test('every relative link of a page names a file that is there', (t) => {
  for (const page of pages) {
    const text = readFileSync(join(root, page), 'utf8');
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)) {
      t.ok(existsSync(resolve(root, dirname(page), target)), `${page}: ${target}`);
    }
  }
  t.end();
});

t.test('every test that SECURITY.md and ARCHITECTURE.md name is there', (t) => {
  for (const page of ['SECURITY.md', 'docs/ARCHITECTURE.md']) {
    const text = readFileSync(join(root, page), 'utf8');
    const names = [...text.matchAll(/`(test\/[a-z0-9/-]+(?:\.ts)?)`/g)].map((match) => match[1] ?? '');
    t.ok(names.length > 5, page);
    for (const name of names) t.ok(existsSync(join(root, name)), `${page}: ${name}`);
  }
  t.end();
});
