// Every config that a document shows is one: keys, forms and durations, as far as the block says them. What it leaves out
// (an upstream, the secret that it uses) stands elsewhere on its page.
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { loadConfigText } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problems.ts';

const root = resolve(import.meta.dirname, '../..');
const pages = [
  ...['README.md', 'SECURITY.md'],
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
/** Of other programs, and parts of a config without what is around them. */
const others: ReadonlySet<string> = new Set([
  'docs/guides/boot-order.md auth',
  'docs/guides/credential-helpers.md users',
  'docs/guides/upstreams/kubernetes.md rules',
  'docs/reference/dev-vault.md mounts',
]);
const isElsewhere = /^unknown secret |^"[^"]*" fits no secret/;

t.test('every config of every page is one', (t) => {
  let count = 0;
  for (const page of pages) {
    const text = readFileSync(join(root, page), 'utf8');
    for (const [, indent = '', body = ''] of text.matchAll(/^( *)```yaml[^\n]*\n(.*?)^ *```$/gms)) {
      const block = body.replaceAll(new RegExp(`^${indent}`, 'gm'), '');
      const [, first = ''] = /^(\w+):/m.exec(block) ?? [];
      if (others.has(`${page} ${first}`)) continue;
      count += 1;
      t.strictSame(problemsOf(block), [], `${page}: ${first}`);
    }
  }
  t.ok(count > 30, 'they are found');
  t.end();
});

t.test('the config that prometheus.yaml asks for is one, and its token opens the metrics', (t) => {
  const text = readFileSync(join(root, 'config/observability/prometheus.yaml'), 'utf8');
  const block = [...text.matchAll(/^# {3}(.*)$/gm)].map(([, line = '']) => line).join('\n');
  t.match(block, /^listeners:[^\n]*\naccess:/);
  t.strictSame(problemsOf(block), []);
  t.match(text, /^ {6}credentials_file: \/run\/latchkey\/metrics-token$/m);
  t.match(
    block,
    /path: \/run\/latchkey\/metrics-token, owner: prometheus .*token: \/run\/latchkey\/metrics-token/s,
  );
  t.end();
});

function problemsOf(block: string): string[] {
  try {
    loadConfigText('/etc/latchkey/latchkey.yaml', block, {
      env: { VAULT_ADDR: 'http://v:1' },
      checks: 'text',
    });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const problems = error.problems.filter(({ message }) => !isElsewhere.test(message));
    return problems.map(({ line, path, message }) => `${line}: ${path}: ${message}`);
  }
  return [];
}
