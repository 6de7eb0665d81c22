// As BurntSushi's TOML encoder: plain keys before tables, keys sorted, tables indented by two spaces, floats with a
// decimal point, nil left out, arrays of maps as [[tables]].

import { type CallContext, callError, plain } from '../../exec/function-table.ts';
import { formatFloat } from '../../text/float-format.ts';
import { readFloat, readInteger } from '../../text/number.ts';
import {
  IntegerValue,
  MapValue,
  type Opened,
  openInterface,
  PointerValue,
  SliceValue,
  StructValue,
  stringOf,
  typeOf,
} from '../../value/value.ts';

type TomlType = 'plain' | 'table' | 'array' | 'tables' | null;
type Entry = readonly [key: string, value: Opened];

/** Throws a CallError for what TOML cannot hold. */
export function encodeToml(context: CallContext, value: Opened): string {
  if (value === null) throw callError`reflect: call of reflect.Value.Type on zero Value`;
  const target = indirect(value);
  return target === null ? '' : new Encoder(context).run(target);
}

class Encoder {
  readonly #context: CallContext;
  readonly #parts: string[] = [];
  #bytes = 0;
  #depth = 0;

  constructor(context: CallContext) {
    this.#context = context;
  }

  run(value: Opened): string {
    this.#encode([], value);
    this.#context.claim(this.#bytes);
    return this.#parts.join('');
  }

  #encode(key: readonly string[], value: Opened): void {
    const entries = this.#entriesOf(value);
    if (entries !== null) {
      this.#table(key, entries);
    } else if (value instanceof SliceValue && this.#typeOf(value) === 'tables') {
      this.#arrayOfTables(key, value);
    } else {
      if (unsupportedKind(value) !== null) {
        throw callError`unsupported type for key '${key.map(tomlKey).join('.')}': ${plain(unsupportedKind(value) ?? '')}`;
      }
      this.#keyValue(key, value);
    }
  }

  /** The keys and values of a map or struct; null for anything else. */
  #entriesOf(value: Opened): readonly Entry[] | null {
    if (value instanceof MapValue) {
      if (value.type.key?.kind !== 'string') {
        throw callError`toml: cannot encode a map with non-string key type${plain(value.type.key?.kind === 'interface' ? '; parseYAML gives such maps, parseJSON does not' : '')}`;
      }
      this.#context.goThrough(value.size);
      return [...value.entries()].map(([key, item]) => [
        stringOf(openInterface(key)) ?? '',
        indirect(openInterface(item)),
      ]);
    }
    if (!(value instanceof StructValue) || value.type.methods.has('MarshalText')) return null;
    return value.type.fields.map((field, at) => [
      field.name,
      indirect(openInterface(value.values[at] ?? null)),
    ]);
  }

  #table(key: readonly string[], entries: readonly Entry[]): void {
    if (key.length === 1) this.#newline();
    if (key.length > 0) {
      this.#write(`${indent(key)}[${key.map(tomlKey).join('.')}]`);
      this.#newline();
    }
    this.#entries(key, entries);
  }

  #arrayOfTables(key: readonly string[], slice: SliceValue): void {
    if (key.length === 0) throw callError`toml: top-level values must be Go maps or structs`;
    for (const item of slice.items) {
      const entries = this.#entriesOf(indirect(openInterface(item)));
      if (entries === null) continue;
      this.#newline();
      this.#write(`${indent(key)}[[${key.map(tomlKey).join('.')}]]`);
      this.#newline();
      this.#entries(key, entries);
    }
  }

  #entries(key: readonly string[], entries: readonly Entry[]): void {
    this.#enter();
    for (const [name, value] of this.#sorted(entries)) {
      if (!isNil(value)) this.#encode([...key, name], value);
    }
    this.#depth--;
  }

  /** Plain keys first: what follows a table's head belongs to the table. */
  #sorted(entries: readonly Entry[]): readonly Entry[] {
    const direct = entries.filter(([, value]) => !this.#isTable(value));
    return [...direct, ...entries.filter(([, value]) => this.#isTable(value))];
  }

  #isTable(value: Opened): boolean {
    const type = this.#typeOf(value);
    return type === 'table' || type === 'tables';
  }

  #typeOf(value: Opened): TomlType {
    this.#context.spend(1);
    if (isNil(value)) return null;
    if (value instanceof MapValue) return 'table';
    if (value instanceof StructValue) return value.type.methods.has('MarshalText') ? 'plain' : 'table';
    if (value instanceof SliceValue) return this.#isTableArray(value) ? 'tables' : 'array';
    const kind = unsupportedKind(value);
    if (kind !== null) throw callError`unsupported type: ${plain(kind)}`;
    return 'plain';
  }

  #isTableArray(slice: SliceValue): boolean {
    if (slice.items.length === 0) return false;
    this.#enter();
    this.#context.goThrough(slice.items.length);
    const types = slice.items.map((item) => this.#typeOf(indirect(openInterface(item))));
    this.#depth--;
    if (types.includes(null)) throw callError`toml: cannot encode array with nil element`;
    return types.every((type) => type === 'table');
  }

  #enter(): void {
    if (++this.#depth > this.#context.limits.valueDepth) throw callError`toml: value is nested too deeply`;
  }

  #keyValue(key: readonly string[], value: Opened): void {
    if (key.length > 0) this.#write(`${indent(key)}${tomlKey(key.at(-1) ?? '')} = `);
    this.#element(value);
    if (key.length > 0) this.#newline();
  }

  #element(value: Opened): void {
    this.#context.spend(1);
    if (value instanceof SliceValue) this.#array(value);
    else {
      const entries = this.#entriesOf(value);
      if (entries === null) this.#write(this.#plain(value));
      else this.#inlineTable(entries);
    }
  }

  #array(slice: SliceValue): void {
    this.#enter();
    this.#write('[');
    slice.items.forEach((item, index) => {
      if (index > 0) this.#write(', ');
      this.#element(indirect(openInterface(item)));
    });
    this.#write(']');
    this.#depth--;
  }

  /** A nil at the end leaves the comma before it, as in the original. */
  #inlineTable(entries: readonly Entry[]): void {
    this.#enter();
    this.#write('{');
    const sorted = this.#sorted(entries);
    sorted.forEach(([name, value], index) => {
      if (isNil(value)) return;
      this.#write(`${tomlKey(name)} = `);
      this.#element(value);
      if (index < sorted.length - 1) this.#write(', ');
    });
    this.#write('}');
    this.#depth--;
  }

  #plain(value: Opened): string {
    if (typeof value === 'string') return quoteToml(value);
    if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
    if (typeof value === 'number') return tomlFloat(value);
    if (value instanceof IntegerValue) return String(value.value);
    if (value instanceof StructValue) {
      const text = String(value.type.methods.get('MarshalText')?.call(this.#context, [value]) ?? '');
      return value.type.name === 'time.Time' ? text : quoteToml(text);
    }
    return tomlNumber(stringOf(value) ?? '');
  }

  #newline(): void {
    if (this.#parts.length > 0) this.#write('\n');
  }

  #write(text: string): void {
    this.#parts.push(text);
    this.#bytes += text.length;
    if (this.#bytes > this.#context.limits.stringBytes) this.#context.claim(this.#bytes);
  }
}

function indirect(value: Opened): Opened {
  return value instanceof PointerValue ? value.target : value;
}

function isNil(value: Opened): boolean {
  return value === null || ((value instanceof MapValue || value instanceof SliceValue) && value.isNil);
}

function unsupportedKind(value: Opened): string | null {
  const kind = typeOf(value)?.kind;
  return kind === 'chan' || kind === 'complex128' ? kind : null;
}

function indent(key: readonly string[]): string {
  return '  '.repeat(key.length - 1);
}

function tomlKey(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : quoteToml(key);
}

const shortEscapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\f': '\\f',
  '\r': '\\r',
};

function quoteToml(text: string): string {
  const escaped = text.replace(
    /["\\\0-\x1f\x7f]/g,
    (char) => shortEscapes[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `"${escaped}"`;
}

function tomlFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const text = formatFloat(value, 'f', -1);
  return text.includes('.') ? text : `${text}.0`;
}

/** A number of a secret: an integer where it is one, else a float. */
function tomlNumber(text: string): string {
  if (text === '') return '0';
  const whole = readInteger(text, 10, 64);
  if (typeof whole === 'bigint') return String(whole);
  const float = readFloat(text);
  if (typeof float === 'number') return tomlFloat(float);
  throw callError`unable to convert ${text} to int64 or float64`;
}
