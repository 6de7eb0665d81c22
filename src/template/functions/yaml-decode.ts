// As yaml.Unmarshal of go-yaml v2 into an interface {}: the first document, maps as map[interface {}]interface {}, plain
// scalars by YAML 1.1. The library finds the structure; what scalars mean is decided here (yaml-resolve.ts).
import { isUtf8 } from 'node:buffer';
import {
  Composer,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  Parser,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { decodeText, encodeText, toBuffer } from '../bytes.ts';
import { type CallContext, callError, plain, shownAs } from '../function-table.ts';
import { typeOfName } from '../type.ts';
import { anySlice, MapValue, type Opened, openInterface, SliceValue } from '../value.ts';
import { decodeBase64 } from './base64.ts';
import { resolvePlain, resolveTagged } from './yaml-resolve.ts';
import { checkCharacters, syntaxError } from './yaml-syntax.ts';

const mapType = typeOfName('map[interface {}]interface {}');
const composerOptions = {
  version: '1.1',
  schema: 'failsafe',
  merge: false,
  uniqueKeys: false,
  prettyErrors: false,
  logLevel: 'silent',
} as const;

/** Throws a CallError that begins with `yaml: `. */
export function decodeYaml(context: CallContext, bytes: string): Opened {
  if (!isUtf8(toBuffer(bytes))) throw callError`yaml: invalid leading UTF-8 octet`;
  const text = decodeText(bytes);
  checkCharacters(text);
  context.spend(text.length >> 6);
  const document = firstDocument(context, text);
  if (document === null) return null;
  const [problem] = document.errors;
  if (problem !== undefined) throw syntaxError(text, problem);
  return new Decoder(context, document).decode(document.contents as Node | null, 0);
}

/** What follows the first document is never looked at. */
function firstDocument(context: CallContext, text: string): Document.Parsed | null {
  const composer = new Composer(composerOptions);
  const tokens = new Parser().parse(text);
  for (const token of tokens) {
    checkDepth(context, token);
    for (const document of composer.next(token)) return document;
  }
  for (const document of composer.end(true, text.length)) return document;
  return null;
}

/** The composer goes down recursively, so that the depth is looked at before. */
function checkDepth(context: CallContext, top: unknown): void {
  const open: { token: unknown; depth: number }[] = [{ token: top, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next.token !== 'object' || next.token === null) continue;
    if (next.depth > context.limits.valueDepth * 2) throw callError`yaml: exceeded max depth`;
    const { value, items, key } = next.token as { value?: unknown; items?: unknown; key?: unknown };
    const inner = [value, key, ...(Array.isArray(items) ? items : [])];
    for (const token of inner) open.push({ token, depth: next.depth + 1 });
  }
}

class Decoder {
  readonly #context: CallContext;
  readonly #document: Document.Parsed;
  readonly #openAliases = new Set<Node>();
  #decoded = 0;
  #decodedByAlias = 0;

  constructor(context: CallContext, document: Document.Parsed) {
    this.#context = context;
    this.#document = document;
  }

  decode(node: Node | null, depth: number): Opened {
    this.#count();
    if (depth > this.#context.limits.valueDepth) throw callError`yaml: exceeded max depth`;
    if (node === null) return null;
    if (isAlias(node)) return this.#alias(node, (target) => this.decode(target, depth + 1));
    if (isMap(node)) return this.#map(node, depth);
    if (isSeq(node)) return this.#sequence(node, depth);
    return isScalar(node) ? this.#scalar(node) : null;
  }

  #count(): void {
    this.#context.spend(1);
    this.#decoded++;
    if (this.#openAliases.size > 0) this.#decodedByAlias++;
    const isMany = this.#decodedByAlias > 100 && this.#decoded > 1000;
    if (isMany && this.#decodedByAlias / this.#decoded > allowedAliasRatio(this.#decoded)) {
      throw callError`yaml: document contains excessive aliasing`;
    }
  }

  #alias<T>(node: Node & { source: string }, use: (target: Node) => T): T {
    const target = this.#resolveAlias(node);
    if (this.#openAliases.has(target)) {
      throw callError`yaml: anchor '${encodeText(node.source)}' value contains itself`;
    }
    this.#openAliases.add(target);
    const value = use(target);
    this.#openAliases.delete(target);
    return value;
  }

  #resolveAlias(node: Node & { source: string }): Node {
    const target = isAlias(node) ? node.resolve(this.#document) : undefined;
    if (target === undefined) throw callError`yaml: unknown anchor '${encodeText(node.source)}' referenced`;
    return target;
  }

  #map(node: YAMLMap, depth: number): MapValue {
    const map = new MapValue(mapType, []);
    this.#fill(map, node, depth);
    return map;
  }

  #fill(map: MapValue, node: YAMLMap, depth: number): void {
    for (const pair of node.items) {
      const key = pair.key as Node | null;
      const value = pair.value as Node | null;
      if (isMergeKey(key)) {
        this.#merge(map, value, depth);
        continue;
      }
      const decodedKey = this.decode(key, depth + 1);
      if (decodedKey instanceof MapValue || decodedKey instanceof SliceValue) {
        throw callError`yaml: invalid map key: ${plain(decodedKey.type.name)}`;
      }
      map.set(decodedKey, this.decode(value, depth + 1));
    }
  }

  /** `<<`: a map, or several, of which earlier ones win. */
  #merge(map: MapValue, node: Node | null, depth: number): void {
    if (isSeq(node)) {
      for (const item of node.items.toReversed()) this.#mergeOne(map, item as Node, depth);
    } else this.#mergeOne(map, node, depth);
  }

  #mergeOne(map: MapValue, node: Node | null, depth: number): void {
    if (depth > this.#context.limits.valueDepth) throw callError`yaml: exceeded max depth`;
    if (isAlias(node)) {
      this.#alias(node, (target) => {
        if (!isMap(target)) throw wantMap();
        this.#fill(map, target, depth + 1);
      });
    } else if (isMap(node)) this.#fill(map, node, depth + 1);
    else throw wantMap();
  }

  #sequence(node: YAMLSeq, depth: number): SliceValue {
    return anySlice(node.items.map((item) => this.decode(item as Node | null, depth + 1)));
  }

  #scalar(node: Scalar): Opened {
    const text = encodeText(String(node.value ?? ''));
    const isPlain = node.type === 'PLAIN' || node.type === undefined || node.type === null;
    const tag = node.tag?.replace(/^tag:yaml\.org,2002:/, '!!');
    if (tag === undefined || tag === '!')
      return isPlain && tag === undefined ? resolvePlain(text).value : text;
    const resolved = resolveTagged(tag, text);
    if (resolved === null) {
      throw callError`yaml: cannot decode ${plain(resolvePlain(text).tag)} ${shownAs(text, `\`${text}\``)} as a ${plain(tag)}`;
    }
    return tag === '!!binary' ? decodeBinary(text) : openInterface(resolved);
  }
}

function isMergeKey(key: Node | null): boolean {
  if (!isScalar(key) || key.value !== '<<') return false;
  return (key.type === 'PLAIN' && key.tag === undefined) || key.tag === 'tag:yaml.org,2002:merge';
}

function wantMap() {
  return callError`yaml: map merge requires map or sequence of maps as the value`;
}

function decodeBinary(text: string): string {
  const decoded = decodeBase64(text, 'standard');
  if (typeof decoded !== 'string') throw callError`yaml: !!binary value contains invalid base64 data`;
  return decoded;
}

/** Of small documents nearly all may come from aliases, of large ones a tenth: the bound on `billion laughs`. */
function allowedAliasRatio(decoded: number): number {
  if (decoded <= 400_000) return 0.99;
  return decoded >= 4_000_000 ? 0.1 : 0.99 - 0.89 * ((decoded - 400_000) / 3_600_000);
}
