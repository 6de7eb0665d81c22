// Functions that read secrets: secret, secrets.
import { decodeText, encodeText } from '../bytes.ts';
import {
  type CallContext,
  callError,
  defineFunction,
  type FunctionTable,
  quoted,
} from '../function-table.ts';
import type { Dependency } from '../lookup.ts';
import { secretValue } from '../secret.ts';
import { type Opened, stringSlice } from '../value.ts';

export const vault: FunctionTable = {
  secret: defineFunction(['...string'], 'any', (context, path, ...pairs) =>
    path === undefined ? null : readSecret(context, path, pairs),
  ),
  secrets: defineFunction(['string'], '[]string', (context, path) => {
    if (path === '') return stringSlice(null);
    const dependency = { kind: 'list', path: trimSlashes(path), parameters: {} } as const;
    const answer = context.lookup(dependency);
    if (answer.status === 'ready-list') return answer.names.map(encodeText);
    context.reportMissing(dependency, answer);
    return stringSlice(null);
  }),
};

function readSecret(context: CallContext, path: string, pairs: readonly string[]): Opened {
  const dependency = pairs.length === 0 ? readDependency(path) : writeDependency(path, pairs);
  const answer = context.lookup(dependency);
  if (answer.status === 'ready') return secretValue(answer.secret);
  context.reportMissing(dependency, answer);
  return null;
}

function readDependency(path: string): Dependency {
  const [name = '', query = ''] = trimSlashes(path).split('?', 2);
  return { kind: 'read', path: name, parameters: Object.fromEntries(new URLSearchParams(query)) };
}

function writeDependency(path: string, pairs: readonly string[]): Dependency {
  const parameters: Record<string, string> = {};
  for (const pair of pairs) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    if (at < 0) throw callError`not k=v pair ${quoted(pair)}`;
    parameters[decodeText(pair.slice(0, at)).trim()] = decodeText(pair.slice(at + 1)).trim();
  }
  return { kind: 'write', path: trimSlashes(path), parameters };
}

function trimSlashes(path: string): string {
  return decodeText(path)
    .trim()
    .replace(/^\/+|\/+$/g, '');
}
