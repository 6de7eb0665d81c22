// A file's secrets as a tree that keeps the order of its keys and the digits of its numbers: JSON and YAML both ways.
import {
  boolCoreTag,
  DUMP_SCHEMA,
  defineScalarTag,
  dump,
  FAILSAFE_SCHEMA,
  floatCoreTag,
  floatYaml11Tag,
  intCoreTag,
  intYaml11Tag,
  loadAll,
  mergeTag,
  NOT_RESOLVED,
  nullCoreTag,
  realMapTag,
  YAMLException,
} from 'js-yaml';
import { LatchkeyError } from '../../base/errors.ts';
import { JsonNumber, type JsonValue } from '../../base/text/json.ts';

export type DocumentMap = Map<string, DocumentNode>;
export type DocumentNode = string | boolean | null | JsonNumber | DocumentNode[] | DocumentMap;

const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/;

type IsNumber = (text: string) => boolean;

const isInteger: IsNumber = (text) => !/[.eE]/.test(text);
const isFraction: IsNumber = (text) => !isInteger(text);

function numberTag(name: 'int' | 'float', isWritten: IsNumber, isRead: IsNumber) {
  return defineScalarTag(`tag:yaml.org,2002:${name}`, {
    implicit: true,
    resolve: (source) => (isRead(source) ? new JsonNumber(source) : NOT_RESOLVED),
    identify: (data) => data instanceof JsonNumber && isWritten(data.text),
    represent: (data: JsonNumber) => data.text,
  });
}

/** What reads as a number of JSON is one, with its digits; `007` and dates are text: no digit of a secret is lost. */
const readNumbers = [
  numberTag('int', isInteger, (text) => jsonNumber.test(text) && isInteger(text)),
  numberTag('float', isFraction, (text) => jsonNumber.test(text) && isFraction(text)),
];
/** Text that another reader of YAML would take for a number is quoted. */
const writtenNumbers = [
  numberTag('int', isInteger, (text) => resolves(intCoreTag, text) || resolves(intYaml11Tag, text)),
  numberTag('float', isFraction, (text) => resolves(floatCoreTag, text) || resolves(floatYaml11Tag, text)),
];

function resolves(tag: typeof intCoreTag, text: string): boolean {
  return tag.resolve(text, false, tag.tagName) !== NOT_RESOLVED;
}

const readSchema = FAILSAFE_SCHEMA.withTags(nullCoreTag, boolCoreTag, readNumbers, mergeTag, realMapTag);
const writeSchema = DUMP_SCHEMA.withTags(writtenNumbers, realMapTag);

/** JSON is read as the YAML that it is. Throws `config_invalid` with line and column, and nothing of the text. */
export function parseDocument(text: string, file: string): DocumentMap {
  let values: unknown[];
  try {
    values = loadAll(text.replace(/^\uFEFF/, ''), { schema: readSchema, maxAliases: 1000 });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const { mark } = error;
    const place = mark ? `:${mark.line + 1}:${mark.column + 1}` : '';
    // No cause: the parser's error quotes the text around the place.
    throw new LatchkeyError('config_invalid', `${file}${place}: not valid YAML or JSON`);
  }
  if (values.length > 1)
    throw new LatchkeyError('config_invalid', `${file}: expected one document, got ${values.length}`);
  const [value] = values;
  if (value === undefined || value === null) return new Map();
  const node = toNode(value, file);
  if (node instanceof Map) return node;
  throw new LatchkeyError('config_invalid', `${file}: expected a map of secrets at the top`);
}

export function writeYaml(document: DocumentMap): string {
  return document.size === 0 ? '' : dump(document, { schema: writeSchema, lineWidth: -1, noRefs: true });
}

export function writeJson(document: DocumentMap): string {
  return `${JSON.stringify(toJson(document), undefined, 2)}\n`;
}

export function toJson(node: DocumentNode): JsonValue {
  if (Array.isArray(node)) return node.map(toJson);
  if (!(node instanceof Map)) return node;
  const object: Record<string, JsonValue> = {};
  for (const [key, value] of node) {
    // An assignment to `__proto__` would be another thing.
    Object.defineProperty(object, key, {
      value: toJson(value),
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return object;
}

/** `database/primary`, item 0 of a list by `0`; names with a slash win over the way down. */
export function findNode(document: DocumentMap, path: string): DocumentNode | undefined {
  if (path === '') return document;
  return step(document, path);
}

function step(node: DocumentNode, path: string): DocumentNode | undefined {
  if (Array.isArray(node)) {
    const [index = '', ...rest] = path.split('/');
    const item = /^\d+$/.test(index) ? node[Number(index)] : undefined;
    return rest.length === 0 || item === undefined ? item : step(item, rest.join('/'));
  }
  if (!(node instanceof Map)) return undefined;
  const own = node.get(path);
  if (own !== undefined) return own;
  for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
    const next = node.get(path.slice(0, slash));
    const found = next === undefined ? undefined : step(next, path.slice(slash + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Makes the maps on the way. Throws `usage` where something that is no map is in it. */
export function setNode(document: DocumentMap, path: string, value: DocumentNode): void {
  const steps = path.split('/');
  const last = steps.pop() ?? '';
  let map = document;
  for (const [index, name] of steps.entries()) {
    const next = map.get(name) ?? new Map<string, DocumentNode>();
    if (!(next instanceof Map)) {
      throw new LatchkeyError(
        'usage',
        `${steps.slice(0, index + 1).join('/')} is a value, expected a map of fields`,
      );
    }
    map.set(name, next);
    map = next;
  }
  map.set(last, value);
}

/** The paths of all values, in their order. */
export function leafPaths(node: DocumentNode, prefix = ''): string[] {
  if (!(node instanceof Map)) return [prefix];
  return [...node].flatMap(([key, value]) => leafPaths(value, prefix === '' ? key : `${prefix}/${key}`));
}

function toNode(value: unknown, file: string): DocumentNode {
  if (Array.isArray(value)) return value.map((item) => toNode(item, file));
  if (value instanceof Map) {
    return new Map([...value].map(([key, item]) => [keyText(key, file), toNode(item, file)]));
  }
  if (typeof value === 'string' || typeof value === 'boolean' || value instanceof JsonNumber) return value;
  if (value === null) return null;
  throw new LatchkeyError(
    'config_invalid',
    `${file}: expected text, numbers, true, false, null, lists and maps`,
  );
}

function keyText(key: unknown, file: string): string {
  if (typeof key === 'string') return key;
  if (key instanceof JsonNumber) return key.text;
  if (typeof key === 'boolean' || key === null) return String(key);
  throw new LatchkeyError('config_invalid', `${file}: expected keys that are text`);
}
