// As yaml.Unmarshal of go-yaml v2 into an interface {}: the first document, maps as map[interface {}]interface {}.
import { isUtf8 } from 'node:buffer';
import { type CallContext, callError, plain, shownAs } from '../../../exec/function-table.ts';
import { decodeText, encodeText, toBuffer } from '../../../text/bytes.ts';
import { sprintf } from '../../../text/printf.ts';
import { typeOfName } from '../../../value/type.ts';
import { anySlice, MapValue, type Opened, openInterface, SliceValue } from '../../../value/value.ts';
import { decodeBase64 } from '../base64.ts';
import {
  parseYamlDocument,
  type YamlAlias,
  type YamlMapping,
  type YamlNode,
  type YamlScalar,
} from './yaml-parse.ts';
import { checkCharacters } from './yaml-reader.ts';
import { resolvePlain, resolveTagged } from './yaml-resolve.ts';

const mapType = typeOfName('map[interface {}]interface {}');
const mergeTag = 'tag:yaml.org,2002:merge';

/** Throws a CallError that begins with `yaml: `. */
export function decodeYaml(context: CallContext, bytes: string): Opened {
  if (!isUtf8(toBuffer(bytes))) throw callError`yaml: invalid leading UTF-8 octet`;
  const text = decodeText(bytes);
  checkCharacters(text);
  context.spend(text.length >> 6);
  const document = parseYamlDocument(context, text);
  return document === null ? null : new Decoder(context).decode(document, 0);
}

class Decoder {
  readonly #context: CallContext;
  readonly #openAliases = new Set<YamlAlias>();
  #decoded = 0;
  #decodedByAlias = 0;

  constructor(context: CallContext) {
    this.#context = context;
  }

  decode(node: YamlNode, depth: number): Opened {
    this.#count(depth);
    switch (node.kind) {
      case 'alias':
        return this.#alias(node, () => this.decode(node.target, depth + 1));
      case 'mapping': {
        const map = new MapValue(mapType, []);
        this.#fill(map, node, depth);
        return map;
      }
      case 'sequence':
        return anySlice(node.items.map((item) => this.decode(item, depth + 1)));
      case 'scalar':
        return decodeScalar(node);
    }
  }

  #count(depth: number): void {
    this.#context.spend(1);
    if (depth > this.#context.limits.valueDepth) throw callError`yaml: exceeded max depth`;
    this.#decoded++;
    if (this.#openAliases.size > 0) this.#decodedByAlias++;
    const isMany = this.#decodedByAlias > 100 && this.#decoded > 1000;
    if (isMany && this.#decodedByAlias / this.#decoded > allowedAliasRatio(this.#decoded)) {
      throw callError`yaml: document contains excessive aliasing`;
    }
  }

  #alias<T>(node: YamlAlias, run: () => T): T {
    if (this.#openAliases.has(node)) {
      throw callError`yaml: anchor '${encodeText(node.name)}' value contains itself`;
    }
    this.#openAliases.add(node);
    const value = run();
    this.#openAliases.delete(node);
    return value;
  }

  #fill(map: MapValue, node: YamlMapping, depth: number): void {
    for (const [key, value] of node.pairs) {
      if (isMergeKey(key)) {
        this.#merge(map, value, depth);
        continue;
      }
      const decodedKey = this.decode(key, depth + 1);
      if (decodedKey instanceof MapValue || decodedKey instanceof SliceValue) {
        const shown = sprintf(this.#context, '%#v', [decodedKey]);
        throw callError`yaml: invalid map key: ${shown}`;
      }
      map.set(decodedKey, this.decode(value, depth + 1));
    }
  }

  /** `<<`: a map, or several, of which earlier ones win. */
  #merge(map: MapValue, node: YamlNode, depth: number): void {
    if (node.kind === 'sequence') {
      for (const item of node.items.toReversed()) this.#mergeOne(map, item, depth);
    } else this.#mergeOne(map, node, depth);
  }

  #mergeOne(map: MapValue, node: YamlNode, depth: number): void {
    this.#count(depth);
    const target = node.kind === 'alias' ? node.target : node;
    if (target.kind !== 'mapping')
      throw callError`yaml: map merge requires map or sequence of maps as the value`;
    if (node.kind === 'alias') this.#alias(node, () => this.#fill(map, target, depth + 1));
    else this.#fill(map, target, depth + 1);
  }
}

function isMergeKey(key: YamlNode): boolean {
  return key.kind === 'scalar' && key.text === '<<' && (key.isImplicit || key.tag === mergeTag);
}

function decodeScalar(node: YamlScalar): Opened {
  const text = encodeText(node.text);
  if (node.tag === '') return node.isImplicit ? resolvePlain(text).value : text;
  const tag = node.tag.replace(/^tag:yaml\.org,2002:/, '!!');
  const resolved = resolveTagged(tag, text);
  if (resolved === null) {
    throw callError`yaml: cannot decode ${plain(resolvePlain(text).tag)} ${shownAs(text, `\`${text}\``)} as a ${plain(tag)}`;
  }
  return tag === '!!binary' ? decodeBinary(text) : openInterface(resolved);
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
