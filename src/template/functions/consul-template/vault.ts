// Functions that read secrets. By path: secret, secrets, as in consul-template. By path or by a name of the
// configuration: secretOrDefault, secretExists; by name: field, fields. A secret that has not come yet is reported as
// missing, and the execution goes on, so that all missing ones are found in one pass.
import { counted } from '../../../base/text/counted.ts';
import { nearest } from '../../../base/text/nearest.ts';
import {
  type CallContext,
  callError,
  defineFunction,
  type FunctionTable,
  plain,
  quoted,
} from '../../exec/function-table.ts';
import type { Dependency, LookupAnswer, LookupSecret } from '../../exec/lookup.ts';
import { decodeText, encodeText } from '../../text/bytes.ts';
import { fromJson, fromJsonObject } from '../../value/json-value.ts';
import { secretValue } from '../../value/secret.ts';
import { anyMap, type Opened, stringSlice } from '../../value/value.ts';
import { unescapePath } from '../go/url-escape.ts';
import { sharedBySecret } from './shared-value.ts';

const sharedSecret = sharedBySecret(secretValue);
const sharedFields = sharedBySecret((secret) => fromJsonObject(secret.fields));

export const vault: FunctionTable = {
  secret: defineFunction(['...string'], 'any', (context, path, ...pairs) => {
    if (path === undefined) return null;
    const found = ask(context, pairs.length === 0 ? readOf(path) : writeOf(path, pairs));
    return found === null ? null : sharedSecret(context, found);
  }),
  secrets: defineFunction(['string'], '[]string', (context, path) => {
    if (path === '') return stringSlice(null);
    const dependency = { kind: 'list', path: vaultPath('list', path), parameters: {} } as const;
    const answer = context.lookup(dependency);
    if (answer.status === 'ready-list') return answer.names.map(encodeText);
    context.reportMissing(dependency, answer);
    return stringSlice(null);
  }),
  field: defineFunction(['string', 'string'], 'any', (context, name, field) => {
    const found = ask(context, nameOf(name));
    return found === null ? '' : fieldOf(name, found, field);
  }),
  fields: defineFunction(['string'], 'map[string]interface {}', (context, name) => {
    const found = ask(context, nameOf(name));
    return found === null ? anyMap([]) : sharedFields(context, found);
  }),
  secretOrDefault: defineFunction(['string', '...any'], 'any', secretOrDefault),
  secretExists: defineFunction(['string', '...string'], 'bool', (context, place, ...fields) => {
    if (fields.length > 1) throw wrongCount('secretExists', '1 or 2', fields.length + 1);
    const found = askOptional(context, nameOrRead(place));
    const [field] = fields;
    return found !== null && (field === undefined || Object.hasOwn(found.fields, decodeText(field)));
  }),
};

/** `secretOrDefault PLACE DEFAULT` is the secret, `secretOrDefault PLACE FIELD DEFAULT` a field of it. */
function secretOrDefault(context: CallContext, place: string, ...rest: Opened[]): Opened {
  if (rest.length < 1 || rest.length > 2) throw wrongCount('secretOrDefault', '2 or 3', rest.length + 1);
  const otherwise = rest.at(-1) ?? null;
  const found = askOptional(context, nameOrRead(place));
  if (found === null) return otherwise;
  if (rest.length === 1) return sharedSecret(context, found);
  const [field] = rest;
  if (typeof field !== 'string') throw callError`secretOrDefault: the field must be a string`;
  const key = decodeText(field);
  return Object.hasOwn(found.fields, key) ? fromJson(found.fields[key] ?? null) : otherwise;
}

function wrongCount(name: string, expected: string, got: number) {
  return callError`${plain(name)}: wrong number of arguments, expected ${plain(expected)}, but got ${plain(got)}`;
}

/** The secret; null when there is none (yet), which is reported. */
export function ask(context: CallContext, dependency: Dependency): LookupSecret | null {
  const answer = context.lookup(dependency);
  if (answer.status === 'ready') return answer.secret;
  context.reportMissing(dependency, answer);
  return null;
}

/** As `ask`, but a secret that upstream says there is not is an answer. */
function askOptional(context: CallContext, dependency: Dependency): LookupSecret | null {
  const answer: LookupAnswer = context.lookup(dependency);
  if (answer.status === 'ready') return answer.isRemoved === true ? null : answer.secret;
  if (answer.status !== 'absent') context.reportMissing(dependency, answer);
  return null;
}

function nameOf(name: string): Dependency {
  return { kind: 'name', path: decodeText(name), parameters: {} };
}

/** A path has a slash, a name of the configuration has none. */
function nameOrRead(place: string): Dependency {
  return place.includes('/') ? readOf(place) : nameOf(place);
}

/** `?version=2` and the like go to the parameters, as consul-template reads the path as a URL. */
function readOf(path: string): Dependency {
  const [beforeFragment = ''] = vaultPath('read', path).split('#', 1);
  const at = beforeFragment.indexOf('?');
  const name = at < 0 ? beforeFragment : beforeFragment.slice(0, at);
  const query = at < 0 ? '' : beforeFragment.slice(at + 1);
  return {
    kind: 'read',
    path: decodeText(unescapePath(encodeText(name))),
    // Of a parameter that is given twice, the first counts.
    parameters: Object.fromEntries([...new URLSearchParams(query)].reverse()),
  };
}

/** `operation` is what the error about the path says. */
export function writeOf(path: string, pairs: readonly string[], operation = 'write'): Dependency {
  const parameters: Record<string, string> = {};
  for (const pair of pairs) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    if (at < 0) throw callError`not k=v pair ${quoted(pair)}`;
    parameters[decodeText(pair.slice(0, at)).trim()] = decodeText(pair.slice(at + 1)).trim();
  }
  return { kind: 'write', path: vaultPath(operation, path), parameters };
}

function vaultPath(operation: string, path: string): string {
  const trimmed = decodeText(path)
    .trim()
    .replace(/^\/+|\/+$/g, '');
  if (trimmed === '') throw callError`vault.${plain(operation)}: invalid format: ""`;
  // What Go's URLs refuse.
  if (/[\0-\x1f\x7f]/.test(trimmed)) throw callError`the path has a control character`;
  return trimmed;
}

function fieldOf(name: string, secret: LookupSecret, field: string): Opened {
  const key = decodeText(field);
  if (Object.hasOwn(secret.fields, key)) return fromJson(secret.fields[key] ?? null);
  const names = Object.keys(secret.fields);
  const near = nearest(key, names);
  const hint =
    near === undefined ? `it has ${counted(names.length, 'field')}` : `did you mean ${JSON.stringify(near)}?`;
  throw callError`secret ${quoted(name)} has no field ${quoted(field)}; ${plain(encodeText(hint))}`;
}
