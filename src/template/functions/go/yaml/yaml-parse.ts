// The first document of a YAML text as a tree, by libyaml's grammar. What scalars mean is yaml-resolve.ts's matter.
import type { CallContext } from '../../../exec/function-table.ts';
import { type CallError, callError } from '../../../exec/function-table.ts';
import { type Mark, yamlError } from './yaml-reader.ts';
import { type Token, type TokenKind, YamlScanner } from './yaml-scan.ts';

export interface YamlScalar {
  readonly kind: 'scalar';
  /** In full, such as `tag:yaml.org,2002:int`; empty when there is none. */
  readonly tag: string;
  readonly text: string;
  /** Plain and without a tag. */
  readonly isImplicit: boolean;
}

interface YamlSequence {
  readonly kind: 'sequence';
  readonly items: YamlNode[];
}

export interface YamlMapping {
  readonly kind: 'mapping';
  readonly pairs: (readonly [key: YamlNode, value: YamlNode])[];
}

export interface YamlAlias {
  readonly kind: 'alias';
  readonly name: string;
  readonly target: YamlNode;
}

export type YamlNode = YamlScalar | YamlSequence | YamlMapping | YamlAlias;

interface Properties {
  readonly anchor: string;
  readonly tag: string;
  readonly start: Mark;
}

/** Null when there is no document. Throws a CallError that begins with `yaml: `. */
export function parseYamlDocument(context: CallContext, text: string): YamlNode | null {
  return new YamlParser(context, text).document();
}

class YamlParser {
  readonly #context: CallContext;
  readonly #scanner: YamlScanner;
  readonly #anchors = new Map<string, YamlNode>();
  readonly #tagPrefixes = new Map([
    ['!', '!'],
    ['!!', 'tag:yaml.org,2002:'],
  ]);
  #depth = 0;

  constructor(context: CallContext, text: string) {
    this.#context = context;
    this.#scanner = new YamlScanner(text);
  }

  /** document ::= directive* document-start? node? document-end? */
  document(): YamlNode | null {
    const first = this.#scanner.peek().kind;
    if (first === 'stream end') return null;
    let content: YamlNode;
    if (first !== 'directive' && first !== 'document start') content = this.#node(true, false);
    else {
      this.#directives();
      const token = this.#scanner.peek();
      if (token.kind !== 'document start') throw fault('did not find expected <document start>', token.start);
      this.#scanner.skip();
      content = this.#isAt('directive', 'document start', 'document end', 'stream end')
        ? emptyScalar
        : this.#node(true, false);
    }
    this.#scanner.peek();
    return content;
  }

  #directives(): void {
    const own = new Set<string>();
    let hasVersion = false;
    for (;;) {
      const { directive, start } = this.#scanner.peek();
      if (directive === undefined) return;
      if (directive.name === 'YAML') {
        if (hasVersion) throw fault('found duplicate %YAML directive', start);
        if (directive.version !== '1.1') throw fault('found incompatible YAML document', start);
        hasVersion = true;
      } else {
        if (own.has(directive.handle)) throw fault('found duplicate %TAG directive', start);
        own.add(directive.handle);
        this.#tagPrefixes.set(directive.handle, directive.prefix);
      }
      this.#scanner.skip();
    }
  }

  #isAt(...kinds: readonly TokenKind[]): boolean {
    return kinds.includes(this.#scanner.peek().kind);
  }

  /** node ::= alias | properties? content */
  #node(isBlock: boolean, allowsIndentless: boolean): YamlNode {
    this.#context.spend(1);
    if (this.#depth >= this.#context.limits.valueDepth) throw callError`yaml: exceeded max depth`;
    this.#depth++;
    const node = this.#nodeWithin(isBlock, allowsIndentless);
    this.#depth--;
    return node;
  }

  #nodeWithin(isBlock: boolean, allowsIndentless: boolean): YamlNode {
    const first = this.#scanner.peek();
    if (first.kind === 'alias') {
      this.#scanner.skip();
      const target = this.#anchors.get(first.text);
      if (target === undefined) throw callError`yaml: unknown anchor '${first.text}' referenced`;
      return { kind: 'alias', name: first.text, target };
    }
    const properties = this.#properties(first.start);
    const token = this.#scanner.peek();
    if (allowsIndentless && token.kind === '-') return this.#indentlessSequence(properties);
    switch (token.kind) {
      case 'plain':
      case 'quoted':
        return this.#scalar(token, properties);
      case '[':
        return this.#flowSequence(token.start, properties);
      case '{':
        return this.#flowMapping(token.start, properties);
    }
    if (isBlock && token.kind === 'block sequence start') return this.#blockSequence(token.start, properties);
    if (isBlock && token.kind === 'block mapping start') return this.#blockMapping(token.start, properties);
    if (properties.anchor === '' && properties.tag === '') {
      throw fault('did not find expected node content', token.start, properties.start);
    }
    const { tag } = properties;
    return this.#anchored(properties, { kind: 'scalar', tag, text: '', isImplicit: tag === '' });
  }

  /** properties ::= (anchor tag?) | (tag anchor?) */
  #properties(start: Mark): Properties {
    let anchor = '';
    let tag: Token | undefined;
    for (let i = 0; i < 2; i++) {
      const token = this.#scanner.peek();
      if (token.kind === 'anchor' && anchor === '') anchor = token.text;
      else if (token.kind === 'tag' && tag === undefined) tag = token;
      else break;
      this.#scanner.skip();
    }
    return { anchor, tag: tag === undefined ? '' : this.#resolveTag(tag, start), start };
  }

  #resolveTag({ tag, start }: Token, context: Mark): string {
    if (tag === undefined || tag.handle === '') return tag?.suffix ?? '';
    const prefix = this.#tagPrefixes.get(tag.handle);
    if (prefix === undefined) throw fault('found undefined tag handle', start, context);
    return prefix + tag.suffix;
  }

  #anchored<T extends YamlNode>({ anchor }: Properties, node: T): T {
    if (anchor !== '') this.#anchors.set(anchor, node);
    return node;
  }

  #scalar(token: Token, properties: Properties): YamlScalar {
    this.#scanner.skip();
    const { tag } = properties;
    const isImplicit = tag === '!' || (tag === '' && token.kind === 'plain');
    return this.#anchored(properties, { kind: 'scalar', tag, text: token.text, isImplicit });
  }

  /** block-sequence ::= start ('-' node?)* end */
  #blockSequence(start: Mark, properties: Properties): YamlSequence {
    const sequence = this.#anchored<YamlSequence>(properties, { kind: 'sequence', items: [] });
    this.#scanner.skip();
    while (this.#isAt('-')) {
      this.#scanner.skip();
      sequence.items.push(this.#isAt('-', 'block end') ? emptyScalar : this.#node(true, false));
    }
    this.#expect('block end', "did not find expected '-' indicator", start);
    return sequence;
  }

  /** A sequence as deep as the keys of the mapping that it is in: ('-' node?)+ */
  #indentlessSequence(properties: Properties): YamlSequence {
    const sequence = this.#anchored<YamlSequence>(properties, { kind: 'sequence', items: [] });
    while (this.#isAt('-')) {
      this.#scanner.skip();
      sequence.items.push(this.#isAt('-', '?', ':', 'block end') ? emptyScalar : this.#node(true, false));
    }
    return sequence;
  }

  /** block-mapping ::= start (('?' node?)? (':' node?)?)* end */
  #blockMapping(start: Mark, properties: Properties): YamlMapping {
    const mapping = this.#anchored<YamlMapping>(properties, { kind: 'mapping', pairs: [] });
    this.#scanner.skip();
    while (this.#isAt('?')) {
      this.#scanner.skip();
      const key = this.#isAt('?', ':', 'block end') ? emptyScalar : this.#node(true, true);
      mapping.pairs.push([key, this.#blockValue()]);
    }
    this.#expect('block end', 'did not find expected key', start);
    return mapping;
  }

  #blockValue(): YamlNode {
    if (!this.#isAt(':')) return emptyScalar;
    this.#scanner.skip();
    return this.#isAt('?', ':', 'block end') ? emptyScalar : this.#node(true, true);
  }

  /** flow-sequence ::= '[' (entry ',')* entry? ']', where an entry may be one pair of a mapping. */
  #flowSequence(start: Mark, properties: Properties): YamlSequence {
    const sequence = this.#anchored<YamlSequence>(properties, { kind: 'sequence', items: [] });
    this.#scanner.skip();
    for (let isFirst = true; !this.#isAt(']'); isFirst = false) {
      if (!isFirst) {
        this.#expect(',', "did not find expected ',' or ']'", start);
        if (this.#isAt(']')) break;
      }
      sequence.items.push(this.#isAt('?') ? this.#flowPair() : this.#node(false, false));
    }
    this.#scanner.skip();
    return sequence;
  }

  #flowPair(): YamlMapping {
    this.#scanner.skip();
    const key = this.#flowPairKey();
    let value: YamlNode = emptyScalar;
    if (this.#isAt(':')) {
      this.#scanner.skip();
      if (!this.#isAt(',', ']')) value = this.#node(false, false);
    }
    return { kind: 'mapping', pairs: [[key, value]] };
  }

  /** libyaml takes the token after an empty key away, whatever it is. */
  #flowPairKey(): YamlNode {
    if (!this.#isAt(':', ',', ']')) return this.#node(false, false);
    this.#scanner.skip();
    return emptyScalar;
  }

  /** flow-mapping ::= '{' (entry ',')* entry? '}' */
  #flowMapping(start: Mark, properties: Properties): YamlMapping {
    const mapping = this.#anchored<YamlMapping>(properties, { kind: 'mapping', pairs: [] });
    this.#scanner.skip();
    for (let isFirst = true; !this.#isAt('}'); isFirst = false) {
      if (!isFirst) {
        this.#expect(',', "did not find expected ',' or '}'", start);
        if (this.#isAt('}')) break;
      }
      mapping.pairs.push(this.#flowEntry());
    }
    this.#scanner.skip();
    return mapping;
  }

  #flowEntry(): readonly [YamlNode, YamlNode] {
    if (!this.#isAt('?')) return [this.#node(false, false), emptyScalar];
    this.#scanner.skip();
    const key = this.#isAt(':', ',', '}') ? emptyScalar : this.#node(false, false);
    if (!this.#isAt(':')) return [key, emptyScalar];
    this.#scanner.skip();
    return [key, this.#isAt(',', '}') ? emptyScalar : this.#node(false, false)];
  }

  #expect(kind: TokenKind, problem: string, context: Mark): void {
    const token = this.#scanner.peek();
    if (token.kind !== kind) throw fault(problem, token.start, context);
    this.#scanner.skip();
  }
}

const emptyScalar: YamlScalar = { kind: 'scalar', tag: '', text: '', isImplicit: true };

/** The line of the problem, or of what it is in; counted from 0, as go-yaml tells lines of the grammar. */
function fault(problem: string, at: Mark, context?: Mark): CallError {
  return yamlError(problem, at.line === 0 ? (context?.line ?? 0) : at.line);
}
