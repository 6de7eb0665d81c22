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

t.test('every file and folder that ARCHITECTURE.md names is there', (t) => {
  const text = readFileSync(join(root, 'docs/ARCHITECTURE.md'), 'utf8');
  const names = [...text.matchAll(/`([a-z][a-z0-9-]*(?:\/[a-z0-9-]+)+(?:\.ts)?)`/g)].map(
    (match) => match[1] ?? '',
  );
  t.ok(names.length > 50);
  for (const name of names) t.ok(existsSync(join(root, name)) || existsSync(join(root, 'src', name)), name);
  t.end();
});

t.test('each way that ARCHITECTURE.md tells has ten steps at most', (t) => {
  const text = readFileSync(join(root, 'docs/ARCHITECTURE.md'), 'utf8');
  const ways = text.split(/^## /m).filter((section) => /^A .* way\n/.test(section));
  t.ok(ways.length >= 4);
  for (const way of ways) {
    const steps = way.match(/^\d+\. /gm) ?? [];
    t.ok(steps.length > 0 && steps.length <= 10, `${way.split('\n', 1)[0]}: ${steps.length} steps`);
  }
  t.end();
});

t.test('every promise of SECURITY.md, and every kind of fault, names a test that holds it', (t) => {
  const text = readFileSync(join(root, 'SECURITY.md'), 'utf8');
  for (const [heading, least] of [
    ['Kinds of fault', 10],
    ['Promises', 25],
  ] as const) {
    const section = text.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
    const rows = section
      .split('\n')
      .filter((line) => /^\| (?!---)/.test(line))
      .slice(1);
    t.ok(rows.length >= least, `${heading}: ${rows.length} rows`);
    for (const row of rows) {
      const tests = [...row.matchAll(/`(test\/[^`]+)`/g)].map((match) => match[1] ?? '');
      t.ok(tests.length > 0 && tests.every((name) => existsSync(join(root, name))), row.slice(0, 100));
    }
  }
  for (const name of readdirSync(join(root, 'test/security')))
    t.ok(text.includes(`test/security/${name}`), name);
  t.end();
});
