// Reads policies: the part of HCL 1 that policies are written in, and their JSON form. What they allow is acl-policy.ts.
import {
  isJsonObject,
  JsonNumber,
  type JsonObject,
  type JsonValue,
  parseJson,
} from '../../../../src/base/text/json.ts';
import { badRequest } from '../vault-error.ts';

export interface PathRule {
  readonly path: string;
  readonly capabilities: readonly string[];
  readonly allowedParameters?: Readonly<Record<string, readonly JsonValue[]>>;
  readonly deniedParameters?: Readonly<Record<string, readonly JsonValue[]>>;
  readonly requiredParameters?: readonly string[];
  /** Globs of event types that `subscribe` covers. */
  readonly subscribeEventTypes?: readonly string[];
}

const known = new Set([
  'deny',
  'create',
  'read',
  'update',
  'delete',
  'list',
  'sudo',
  'patch',
  'subscribe',
  'recover',
  'scan',
]);
const oldForms: Readonly<Record<string, readonly string[]>> = {
  deny: ['deny'],
  read: ['read', 'list'],
  write: ['create', 'read', 'update', 'delete', 'list'],
  sudo: ['create', 'read', 'update', 'delete', 'list', 'sudo'],
};

/** Throws a 400 that says what is wrong, as Vault does for a policy that cannot be parsed. */
export function parsePolicy(text: string): PathRule[] {
  const source = text.trim();
  const rules: PathRule[] = [];
  for (const [key, label, body] of source.startsWith('{') ? jsonBlocks(source) : hclBlocks(source)) {
    if (key === 'name') continue;
    if (key !== 'path' || label === undefined || !isJsonObject(body)) {
      throw invalid(`invalid key "${key}" in the top level, expected "path"`);
    }
    rules.push(toRule(label, body));
  }
  return rules;
}

function toRule(path: string, body: JsonObject): PathRule {
  const capabilities = new Set<string>();
  if (typeof body['policy'] === 'string') {
    const expanded = oldForms[body['policy']];
    if (expanded === undefined) throw invalid(`path "${path}": invalid policy '${body['policy']}'`);
    for (const item of expanded) capabilities.add(item);
  }
  for (const item of texts(body['capabilities'])) {
    if (!known.has(item)) throw invalid(`path "${path}": invalid capability "${item}"`);
    capabilities.add(item);
  }
  const allowed = parameters(body['allowed_parameters']);
  const denied = parameters(body['denied_parameters']);
  const required = texts(body['required_parameters']);
  const eventTypes = texts(body['subscribe_event_types']);
  return {
    path: path.startsWith('/') ? path.slice(1) : path,
    capabilities: capabilities.has('deny') ? ['deny'] : [...capabilities],
    ...(allowed ? { allowedParameters: allowed } : {}),
    ...(denied ? { deniedParameters: denied } : {}),
    ...(required.length > 0 ? { requiredParameters: required } : {}),
    ...(eventTypes.length > 0 ? { subscribeEventTypes: eventTypes } : {}),
  };
}

function texts(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function parameters(value: JsonValue | undefined): Record<string, JsonValue[]> | undefined {
  if (!isJsonObject(value ?? null)) return undefined;
  return Object.fromEntries(
    Object.entries(value as JsonObject).map(([key, list]) => [
      key.toLowerCase(),
      Array.isArray(list) ? list : [],
    ]),
  );
}

type Block = [key: string, label: string | undefined, body: JsonValue];

function jsonBlocks(source: string): Block[] {
  let parsed: JsonValue;
  try {
    parsed = parseJson(source);
  } catch {
    throw invalid('not valid JSON');
  }
  const paths = isJsonObject(parsed) ? parsed['path'] : undefined;
  const objects = (Array.isArray(paths) ? paths : [paths ?? {}]).filter(isJsonObject);
  return objects.flatMap((object) =>
    Object.entries(object).map(
      ([path, body]): Block => ['path', path, Array.isArray(body) ? (body[0] ?? {}) : body],
    ),
  );
}

const token =
  /\s+|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\])*"|[{}[\],=]|[A-Za-z_][\w.-]*|-?\d+(?:\.\d+)?/y;

function hclBlocks(source: string): Block[] {
  const tokens = tokenize(source);
  const blocks: Block[] = [];
  let at = 0;
  const peek = (): string | undefined => tokens[at];
  const take = (expected?: string): string => {
    const next = tokens[at++];
    if (next === undefined) throw invalid('At 1:1: object expected closing RBRACE got: EOF');
    if (expected !== undefined && next !== expected)
      throw invalid(`At 1:1: expected ${expected}, got ${next}`);
    return next;
  };
  const value = (): JsonValue => {
    const next = take();
    if (next === '{') return object();
    if (next === '[') {
      const items: JsonValue[] = [];
      while (peek() !== ']') {
        items.push(value());
        if (peek() === ',') take();
      }
      take(']');
      return items;
    }
    return scalar(next);
  };
  const object = (): JsonObject => {
    const body: JsonObject = {};
    while (peek() !== '}') {
      const key = String(scalar(take()));
      if (peek() === '=') take();
      body[key] = value();
      if (peek() === ',') take();
    }
    take('}');
    return body;
  };
  while (at < tokens.length) {
    const key = String(scalar(take()));
    const label = peek()?.startsWith('"') ? String(scalar(take())) : undefined;
    if (peek() === '=') take();
    blocks.push([key, label, value()]);
  }
  return blocks;
}

function tokenize(source: string): string[] {
  const tokens: string[] = [];
  token.lastIndex = 0;
  while (token.lastIndex < source.length) {
    const at = token.lastIndex;
    const match = token.exec(source)?.[0];
    if (match === undefined) {
      const line = source.slice(0, at).split('\n').length;
      throw invalid(`At ${line}:1: illegal character`);
    }
    if (!/^(\s|#|\/)/.test(match)) tokens.push(match);
  }
  return tokens;
}

function scalar(text: string): JsonValue {
  if (text.startsWith('"')) return JSON.parse(text) as string;
  if (text === 'true') return true;
  if (text === 'false') return false;
  if (/^-?\d/.test(text)) return new JsonNumber(text);
  if (/^[{}[\],=]$/.test(text)) throw invalid(`At 1:1: unexpected ${text}`);
  return text;
}

function invalid(what: string): Error {
  return badRequest(`failed to parse policy: ${what}`);
}
