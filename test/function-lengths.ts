// Holds how long a function may be. A `createX` is a closure that counts its methods, and each of those is a function too;
// the others that are longer are named here with what they are.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseSync } from 'oxc-parser';
import t from 'tap';

const root = resolve(import.meta.dirname, '../src');
const mostLines = 40;

/** Closures by another name, and lists; a shorter one is taken out of here. */
const longer: Readonly<Record<string, string>> = {
  'agent/wire.ts wireCore': 'the list of what is connected with what',
  'config/sources/aws-agent/read-aws-agent.ts readAwsAgent': 'one line for each key, and how keys are read',
  'config/sources/vault-agent/auth-settings.ts settingsOf': 'a closure: how the keys of a block are read',
  'agent/host/keep-state-folder.ts keepStateFolder': 'a closure: the folder that is kept',
  'supervise/launch/child.ts startChild': 'a closure: the child that runs',
  'supervise/launch/run-child.ts runChild': 'a closure: the program in the foreground',
  'supervise/launch/terminal.ts openTerminal': 'a closure: the terminal that is open',
  'template/functions/go/json/json-long.ts readLongJson': 'a closure: the reader, and where it is',
  'template/template.ts executeProgram': 'a closure: one execution, and the templates that it calls',
  'upstream/aws/label-events.ts startLabelEvents': 'a closure: the queue that is read',
  'upstream/kubernetes/secret-watch.ts startSecretWatch': 'a closure: the watch that is open',
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

/** Every function below `node`, under the name that it is given where it stands. */
function* functionsIn(node: unknown, given?: string): Generator<readonly [name: string, node: Node]> {
  if (Array.isArray(node)) for (const item of node) yield* functionsIn(item, given);
  if (!isNode(node)) return;
  const isFunction = functions.has(node.type);
  const name = node.id?.name ?? node.key?.name ?? given ?? 'nameless';
  if (isFunction) yield [name, node];
  for (const value of Object.values(node)) yield* functionsIn(value, isFunction ? undefined : name);
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
    for (const [name, { start, end }] of functionsIn(program)) {
      count += 1;
      const lines = text.slice(start, end).split('\n').length;
      if (lines > mostLines && !/^create[A-Z]/.test(name)) found.push(`${relative(root, path)} ${name}`);
    }
  }
  t.ok(count > 5000, `${count} functions`);
  t.same(found.sort(), Object.keys(longer).sort());
  t.end();
});
