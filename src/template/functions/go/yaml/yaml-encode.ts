// As yaml.Marshal of go-yaml v2: block style, two spaces, lists not indented within maps, long lines folded at 80
// columns, keys in its natural order (a2 before a10).
import { isUtf8 } from 'node:buffer';
import { type CallContext, callError, plain } from '../../../exec/function-table.ts';
import { decodeRune, toBuffer } from '../../../text/bytes.ts';
import { formatFloat } from '../../../text/float-format.ts';
import { readFloat, readInteger } from '../../../text/number.ts';
import {
  IntegerValue,
  MapValue,
  type Opened,
  openInterface,
  PointerValue,
  SliceValue,
  StructValue,
  stringOf,
  typeName,
  typeOf,
  type Value,
} from '../../../value/value.ts';
import { compareYamlKeys } from './yaml-keys.ts';
import { canBePlainString } from './yaml-resolve.ts';
import {
  analyzeScalar,
  doubleQuoteEscape,
  isBreak,
  literalHints,
  type ScalarAnalysis,
  type ScalarStyle,
} from './yaml-scalar.ts';

const foldColumn = 80;
/** Between two looks at the time. */
const comparisonsALook = 4096;

/** Where a node stands. */
interface Place {
  readonly isInMap: boolean;
  readonly isSimpleKey: boolean;
}

interface Scalar {
  readonly text: string;
  readonly style: ScalarStyle;
  readonly tag: string;
}

const root: Place = { isInMap: false, isSimpleKey: false };
const item: Place = { isInMap: false, isSimpleKey: false };
const simpleKey: Place = { isInMap: true, isSimpleKey: true };
const inMap: Place = { isInMap: true, isSimpleKey: false };

/** The document, with the line end after it. */
export function encodeYaml(context: CallContext, value: Opened): string {
  return new Emitter(context).run(value);
}

class Emitter {
  readonly #context: CallContext;
  readonly #parts: string[] = [];
  #bytes = 0;
  #column = 0;
  #indent = -1;
  #depth = 0;
  #compared = 0;
  /** Whether the last thing written was a space or indentation. */
  #isAfterSpace = true;
  /** Whether the line has nothing but indentation and `- `, `? `, `: ` so far. */
  #isIndenting = true;

  constructor(context: CallContext) {
    this.#context = context;
  }

  run(value: Opened): string {
    this.#node(value, root);
    this.#writeIndent();
    this.#context.claim(this.#bytes);
    return this.#parts.join('');
  }

  #node(value: Opened, place: Place): void {
    this.#context.spend(1);
    if (value instanceof PointerValue) this.#node(value.target, place);
    else if (value instanceof MapValue) this.#map(value);
    else if (value instanceof SliceValue) this.#slice(value, place);
    else if (value instanceof StructValue) this.#struct(value, place);
    else this.#scalar(toScalar(value), place);
  }

  #map(map: MapValue): void {
    this.#context.goThrough(map.size);
    const keys = [...map.keys()].sort((a, b) => this.#compare(a, b));
    this.#entries(keys.map((key) => [openInterface(key), openInterface(map.get(key) ?? null)] as const));
  }

  /** Keys may be long and many. */
  #compare(a: Value, b: Value): number {
    this.#compared++;
    if (this.#compared % comparisonsALook === 0) this.#context.lookAtTime();
    return compareYamlKeys(a, b);
  }

  #struct(value: StructValue, place: Place): void {
    const marshal = value.type.methods.get('MarshalText');
    if (marshal !== undefined) {
      const text = marshal.call(this.#context, [value]);
      const style = value.type.name === 'time.Time' ? 'plain' : null;
      this.#scalar(
        style === null ? toScalar(openInterface(text)) : { text: String(text), style, tag: '' },
        place,
      );
      return;
    }
    this.#entries(
      value.type.fields.map(
        (field, at) => [field.name.toLowerCase(), openInterface(value.values[at] ?? null)] as const,
      ),
    );
  }

  #entries(entries: readonly (readonly [Opened, Opened])[]): void {
    if (entries.length === 0) {
      this.#indicator('{', true, true);
      this.#indicator('}', false);
      return;
    }
    const outer = this.#enter(false);
    for (const [key, value] of entries) {
      this.#writeIndent();
      const scalar = toScalar(key);
      if (isSimple(scalar)) {
        this.#scalar(scalar, simpleKey);
        this.#indicator(':', false);
      } else {
        this.#indicator('?', true, false, true);
        this.#scalar(scalar, inMap);
        this.#writeIndent();
        this.#indicator(':', true, false, true);
      }
      this.#node(value, inMap);
    }
    this.#leave(outer);
  }

  #slice(slice: SliceValue, place: Place): void {
    if (slice.items.length === 0) {
      this.#indicator('[', true, true);
      this.#indicator(']', false);
      return;
    }
    const outer = this.#enter(place.isInMap && !this.#isIndenting);
    for (const value of slice.items) {
      this.#writeIndent();
      this.#indicator('-', true, false, true);
      this.#node(openInterface(value), item);
    }
    this.#leave(outer);
  }

  #enter(isIndentless: boolean): number {
    if (++this.#depth > this.#context.limits.valueDepth) throw callError`yaml: value is nested too deeply`;
    const outer = this.#indent;
    if (outer < 0) this.#indent = 0;
    else if (!isIndentless) this.#indent += 2;
    return outer;
  }

  #leave(outer: number): void {
    this.#depth--;
    this.#indent = outer;
  }

  #scalar(scalar: Scalar, place: Place): void {
    const style = chooseStyle(scalar, analyzeScalar(scalar.text), place);
    if (scalar.tag !== '') {
      if (!this.#isAfterSpace) this.#put(' ');
      this.#putText(scalar.tag);
      this.#isAfterSpace = this.#isIndenting = false;
    }
    const outer = this.#indent;
    this.#indent = outer < 0 ? 2 : outer + 2;
    if (style === 'plain') this.#plain(scalar.text, !place.isSimpleKey);
    else if (style === 'single') this.#single(scalar.text, !place.isSimpleKey);
    else if (style === 'double') this.#double(scalar.text, !place.isSimpleKey);
    else this.#literal(scalar.text);
    this.#indent = outer;
  }

  #plain(text: string, mayFold: boolean): void {
    if (!this.#isAfterSpace) this.#put(' ');
    this.#folded(text, mayFold, (_at) => true);
    this.#isAfterSpace = this.#isIndenting = false;
  }

  #single(text: string, mayFold: boolean): void {
    this.#indicator("'", true);
    this.#folded(text, mayFold, (at) => at > 0 && at < text.length - 1, true);
    this.#indicator("'", false);
    this.#isAfterSpace = this.#isIndenting = false;
  }

  /** Plain and single-quoted text: a space beyond the fold column becomes a line end, a line end an empty line. */
  #folded(text: string, mayFold: boolean, canFoldAt: (at: number) => boolean, doublesQuotes = false): void {
    let wasSpace = false;
    let wasBreak = false;
    for (let i = 0; i < text.length; ) {
      const { rune, size } = decodeRune(text, i);
      if (rune === 0x20) {
        const isFold =
          mayFold && !wasSpace && this.#column > foldColumn && canFoldAt(i) && text[i + 1] !== ' ';
        if (isFold) this.#writeIndent();
        else this.#put(' ');
        wasSpace = true;
      } else if (isBreak(rune)) {
        if (!wasBreak && rune === 0x0a) this.#lineEnd('\n');
        this.#lineEnd(text.slice(i, i + size));
        this.#isIndenting = true;
        wasBreak = true;
      } else {
        if (wasBreak) this.#writeIndent();
        if (doublesQuotes && rune === 0x27) this.#put("'");
        this.#put(text.slice(i, i + size));
        this.#isIndenting = wasSpace = wasBreak = false;
      }
      i += size;
    }
  }

  #double(text: string, mayFold: boolean): void {
    this.#indicator('"', true);
    let wasSpace = false;
    for (let i = 0; i < text.length; ) {
      const { rune, size } = decodeRune(text, i);
      const escaped = doubleQuoteEscape(rune, text.startsWith('\xef\xbb\xbf'));
      if (escaped !== undefined) {
        this.#putText(escaped);
        wasSpace = false;
      } else if (rune === 0x20) {
        const isFold = mayFold && !wasSpace && this.#column > foldColumn && i > 0 && i < text.length - 1;
        if (isFold) this.#writeIndent();
        if (isFold && text[i + 1] === ' ') this.#put('\\');
        if (!isFold) this.#put(' ');
        wasSpace = true;
      } else {
        this.#put(text.slice(i, i + size));
        wasSpace = false;
      }
      i += size;
    }
    this.#indicator('"', false);
    this.#isAfterSpace = this.#isIndenting = false;
  }

  #literal(text: string): void {
    this.#indicator('|', true);
    this.#putText(literalHints(text));
    this.#lineEnd('\n');
    this.#isAfterSpace = this.#isIndenting = true;
    let wasBreak = true;
    for (let i = 0; i < text.length; ) {
      const { rune, size } = decodeRune(text, i);
      const char = text.slice(i, i + size);
      if (isBreak(rune)) {
        this.#lineEnd(char);
        this.#isIndenting = wasBreak = true;
      } else {
        if (wasBreak) this.#writeIndent();
        this.#put(char);
        this.#isIndenting = wasBreak = false;
      }
      i += size;
    }
  }

  #writeIndent(): void {
    const indent = Math.max(this.#indent, 0);
    if (!this.#isIndenting || this.#column > indent || (this.#column === indent && !this.#isAfterSpace)) {
      this.#lineEnd('\n');
    }
    const missing = indent - this.#column;
    if (missing > 0) {
      this.#append(' '.repeat(missing));
      this.#column = indent;
    }
    this.#isAfterSpace = this.#isIndenting = true;
  }

  #indicator(text: string, needsSpace: boolean, isSpace = false, keepsIndenting = false): void {
    if (needsSpace && !this.#isAfterSpace) this.#put(' ');
    this.#putText(text);
    this.#isAfterSpace = isSpace;
    this.#isIndenting = this.#isIndenting && keepsIndenting;
  }

  /** One character, of any number of bytes. */
  #put(char: string): void {
    this.#append(char);
    this.#column++;
  }

  /** ASCII text. */
  #putText(text: string): void {
    this.#append(text);
    this.#column += text.length;
  }

  #lineEnd(char: string): void {
    this.#append(char);
    this.#column = 0;
  }

  #append(text: string): void {
    this.#parts.push(text);
    this.#bytes += text.length;
    if (this.#bytes > this.#context.limits.stringBytes) this.#context.claim(this.#bytes);
  }
}

function isSimple(scalar: Scalar): boolean {
  return !analyzeScalar(scalar.text).isMultiline && scalar.text.length + scalar.tag.length <= 128;
}

function chooseStyle(scalar: Scalar, analysis: ScalarAnalysis, place: Place): ScalarStyle {
  let { style } = scalar;
  if (place.isSimpleKey && analysis.isMultiline) style = 'double';
  const isUnfit = !analysis.allowsPlain || (scalar.text === '' && place.isSimpleKey);
  if (style === 'plain' && isUnfit) style = 'single';
  if (style === 'single' && !analysis.allowsSingle) style = 'double';
  if (style === 'literal' && (!analysis.allowsLiteral || place.isSimpleKey)) style = 'double';
  return style;
}

function toScalar(value: Opened): Scalar {
  if (value === null) return plainScalar('null');
  if (typeof value === 'string') return stringScalar(value);
  if (typeof value === 'number') return plainScalar(yamlFloat(value));
  if (typeof value === 'boolean' || typeof value === 'bigint') return plainScalar(String(value));
  if (value instanceof IntegerValue) return plainScalar(String(value.value));
  const text = stringOf(value);
  if (text === null)
    throw callError`cannot marshal type: ${plain(typeName(value) || String(typeOf(value)?.kind))}`;
  const whole = readInteger(text, 10, 64);
  if (typeof whole === 'bigint') return plainScalar(String(whole));
  const float = readFloat(text);
  return typeof float === 'number' ? plainScalar(yamlFloat(float)) : stringScalar(text);
}

function plainScalar(text: string): Scalar {
  return { text, style: 'plain', tag: '' };
}

/** Quoted where it would be read as something else; bytes that are no text become base64. */
function stringScalar(text: string): Scalar {
  if (!isUtf8(toBuffer(text))) {
    const lines = toBuffer(text)
      .toString('base64')
      .match(/.{1,70}/g) ?? [''];
    const isLong = lines.length > 1 || (lines[0]?.length ?? 0) >= 70;
    const encoded = isLong ? lines.map((line) => `${line}\n`).join('') : (lines[0] ?? '');
    return { text: encoded, style: isLong ? 'literal' : 'plain', tag: '!!binary' };
  }
  if (text.includes('\n')) return { text, style: 'literal', tag: '' };
  return { text, style: canBePlainString(text) ? 'plain' : 'double', tag: '' };
}

function yamlFloat(value: number): string {
  if (Number.isNaN(value)) return '.nan';
  if (!Number.isFinite(value)) return value > 0 ? '.inf' : '-.inf';
  return formatFloat(value, 'g', -1);
}
