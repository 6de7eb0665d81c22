// Holds how long a function may be. A closure counts without the functions that it holds, each of which counts by itself;
// a `createX` may have more state and parts around them, and their comments. Those that are longer are named here with what
// they are; who shortens one takes it from the list.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseSync } from 'oxc-parser';
import t from 'tap';

const root = resolve(import.meta.dirname, '../src');
const mostLines = 40;
const mostOfClosure = 66;

const longer: Readonly<Record<string, string>> = {
  'agent/wire.ts wireCore': 'the list of what is connected with what',
  'lease/lease-engine.ts createLeaseEngine':
    'the same of the parts that keep leases, and what may be asked of them',
  'lease/track/secret-track.ts createSecretTrack': 'what every event of a secret does to its one state',
  'upstream/vault/session/session.ts createSession': 'what every event of a login does to its one state',
  'upstream/vault/vault-upstream.ts createVaultUpstream':
    'the list of what is connected with what of a Vault',
};

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly id?: { readonly name?: string } | null;
  readonly key?: { readonly name?: string };
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

const functions = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);

interface Found {
  readonly name: string;
  readonly node: Node;
  /** Of those that stand in it, not of those in them. */
  readonly inner: Found[];
}

/** The functions below `node`, under the names that they are given where they stand. */
function functionsIn(node: unknown, given?: string): Found[] {
  if (Array.isArray(node)) return node.flatMap((item) => functionsIn(item, given));
  if (!isNode(node)) return [];
  const name = node.id?.name ?? node.key?.name ?? given ?? 'nameless';
  const isFunction = functions.has(node.type);
  const inner = Object.values(node).flatMap((value) => functionsIn(value, isFunction ? undefined : name));
  return isFunction ? [{ name, node, inner }] : inner;
}

function flat(found: readonly Found[]): Found[] {
  return found.flatMap((one) => [one, ...flat(one.inner)]);
}

t.test('a function does one thing, which is seen at a glance', (t) => {
  const found: string[] = [];
  let count = 0;
  for (const entry of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
    if (!entry.endsWith('.ts')) continue;
    const path = join(root, entry);
    const text = readFileSync(path, 'utf8');
    const { program, errors } = parseSync(path, text);
    t.same(errors, [], `${entry}: is read`);
    const linesOf = ({ node: { start, end } }: Found) => text.slice(start, end).split('\n').length;
    for (const one of flat(functionsIn(program))) {
      const { name, inner } = one;
      count += 1;
      // One line stays for each, as for a call.
      const lines = inner.reduce((rest, other) => rest - linesOf(other) + 1, linesOf(one));
      const most = /^create[A-Z]/.test(name) ? mostOfClosure : mostLines;
      if (lines > most) found.push(`${relative(root, path)} ${name}`);
    }
  }
  t.ok(count > 5000, `${count} functions`);
  t.same(found.sort(), Object.keys(longer).sort());
  t.end();
});
