// Holds the layer table of docs/ARCHITECTURE.md: who may import whom.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import t from 'tap';

const root = resolve(import.meta.dirname, '../src');
const devvault = resolve(import.meta.dirname, '../packages/devvault/src');

/** Layer of each folder of src; siblings in a layer do not import each other. */
const layers: Readonly<Record<string, number>> = {
  base: 0,
  api: 1,
  template: 1,
  access: 1,
  config: 1,
  store: 1,
  audit: 1,
  metrics: 1,
  upstream: 2,
  lease: 2,
  content: 2,
  files: 2,
  supervise: 2,
  server: 3,
  agent: 4,
  client: 5,
  cli: 5,
};
/** `server` serves what is in memory; it asks the agent for the rest. `cli` sees the agent, never its parts. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  server: ['base', 'api', 'template', 'access', 'config', 'store', 'audit', 'metrics'],
  client: ['base', 'api'],
  cli: ['base', 'api', 'client', 'config', 'agent', 'devvault'],
  devvault: ['base'],
  // Not yet apart: files make the consumers of their templates, and templates are read with the errors of files.
  content: ['base', 'template', 'access', 'config', 'store', 'audit', 'metrics', 'files', 'supervise'],
  files: ['base', 'template', 'access', 'config', 'store', 'audit', 'metrics', 'content'],
};
const sizeLimit = 400;

function sourceFiles(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return sourceFiles(path);
    return path.endsWith('.ts') ? [path] : [];
  });
}

/** The layer's name of a file: its folder of src, or the package that stands apart. */
function folderOf(path: string): string {
  if (path === devvault || path.startsWith(`${devvault}/`)) return 'devvault';
  return relative(root, path).split('/')[0] ?? '';
}

/** Absolute paths of what a file imports of this project. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [
    ...[...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) =>
      resolve(dirname(file), match[1] ?? ''),
    ),
    ...[...text.matchAll(/'@latchkey\/devvault\/([^']+)'/g)].map((match) => join(devvault, match[1] ?? '')),
  ];
}

function mayImport(from: string, to: string): boolean {
  if (from === to || from === 'main.ts' || to === 'version.ts') return true;
  const list = allowed[from];
  if (list !== undefined) return list.includes(to);
  return (layers[to] ?? 99) < (layers[from] ?? -1);
}

const files = [...sourceFiles(root), ...sourceFiles(devvault)];

t.test('no import climbs or crosses the layers', (t) => {
  const wrong = files.flatMap((file) => {
    const from = folderOf(file);
    return importsOf(file)
      .map(folderOf)
      .filter((to) => to !== '..' && !mayImport(from, to))
      .map((to) => `${relative(root, file)} imports ${to}`);
  });
  t.strictSame(wrong, []);
  t.end();
});

t.test('every folder has a layer, every file opens with what it owns and stays small', (t) => {
  for (const file of files) {
    const name = `${folderOf(file)}/${basename(file)}`;
    const text = readFileSync(file, 'utf8');
    const folder = folderOf(file);
    if (dirname(file) !== root)
      t.ok(folder in layers || folder in allowed, `${name}: its folder has a layer`);
    t.match(text, /^\/\/ \S/, `${name}: opens with a comment`);
    t.ok(text.split('\n').length <= sizeLimit, `${name}: at most ${sizeLimit} lines`);
    t.match(relative(root, file), /^[./a-z0-9-]+\.ts$/, `${name}: kebab-case`);
  }
  t.end();
});

t.test('only base/libc.ts loads koffi', (t) => {
  const users = files.filter((file) =>
    /(?:from|import\(|require\(|load\()\s*'koffi'/.test(readFileSync(file, 'utf8')),
  );
  t.strictSame(
    users.map((file) => relative(root, file)),
    ['base/libc.ts'],
  );
  t.end();
});

t.test('what is in base has two users at least', (t) => {
  for (const file of files.filter((path) => dirname(path) === join(root, 'base'))) {
    const users = files.filter((path) => importsOf(path).includes(file)).map(folderOf);
    t.ok(new Set(users).size >= 2, `${relative(root, file)}: ${[...new Set(users)].join(', ')}`);
  }
  t.end();
});

t.test('no import goes in a circle between files', (t) => {
  const graph = new Map(
    files.map((file) => [
      file,
      // Types vanish at run time, lazily imported modules cannot be in a load-time circle.
      [...readFileSync(file, 'utf8').matchAll(/^(?:import|export) (?!type)[^;]*?from '(\.[^']+)'/gm)].map(
        (match) => resolve(dirname(file), match[1] ?? ''),
      ),
    ]),
  );
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file))
      circles.push([...path.slice(path.indexOf(file)), file].map((f) => relative(root, f)).join(' > '));
    if (done.has(file) || path.includes(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  t.strictSame(circles, []);
  t.end();
});
