// Hostile values through every function that a template may call, whichever there are: whatever it is given, an execution ends
// within its budget and never holds the event loop for a second. `LATCHKEY_HOSTILE_ROUNDS=200` asks for that many of each
// function; a failure names the template that repeats it.
import t from 'tap';
import { JsonNumber, type JsonValue } from '../../src/base/text/json.ts';
import type { TemplateFunction } from '../../src/template/exec/function-table.ts';
import { functionNames, loadFunctions } from '../../src/template/functions.ts';
import { TemplateError } from '../../src/template/template-error.ts';
import type { Type } from '../../src/template/value/type.ts';
import { emptyHost, execute, lookupIn } from '../support/render-text.ts';
import { createSeededRandom } from '../support/seeded-random.ts';

const asked = process.env['LATCHKEY_HOSTILE_ROUNDS'];
const rounds = Number(asked ?? 2);
const seed = Number(process.env['LATCHKEY_HOSTILE_SEED'] ?? 1);
const only = process.env['LATCHKEY_HOSTILE_ONLY'];
/** Smaller ones show what does not end, and few of them fit into every run of the tests. */
const scale = asked === undefined ? 1 / 8 : 1;
const MiB = scale * 1024 * 1024;
/** Of the processor, for an execution: its own limit, one call that goes on past it, and a machine that is slow. */
const mostMs = 1000;

const times = (text: string, bytes: number): string => text.repeat(Math.ceil(bytes / text.length));

/** What somebody who may write one secret may put into it. */
const texts: Readonly<Record<string, string>> = {
  empty: '',
  letters: times('x', 8 * MiB),
  spaces: times(' ', 4 * MiB),
  lines: times('\n', 2 * MiB),
  wide: times('é€😀', 3 * MiB),
  mixed: times('aB c_D-e.F ', 2 * MiB),
  digits: times('9', 2 * MiB),
  fraction: `0.${times('1', MiB)}e-308`,
  exponent: '1e999999999',
  hexadecimal: `0x${times('f', MiB)}`,
  maximum: '9223372036854775807',
  minimum: '-9223372036854775808',
  commas: times('1,', 2 * MiB),
  keys: Array.from({ length: 100_000 * scale }, (_, index) => `k${index}=v${index}`).join(','),
  quotes: times('"', 2 * MiB),
  apostrophes: times("'\\", 2 * MiB),
  backslashes: times('\\', 2 * MiB),
  percents: times('%', MiB),
  verbs: times('%[1]*.[1]*v', MiB),
  escapes: times('%00', MiB),
  entities: times('<&>', 2 * MiB),
  dollars: times('$1$x', MiB),
  slashes: times('/../', 2 * MiB),
  dots: times('.', MiB),
  deepJson: times('[', MiB),
  wholeDeepJson: times('[', MiB) + times(']', MiB),
  deepObjects: times('{"a":', MiB),
  manyNumbers: `[${times('1,', 2 * MiB)}1]`,
  manyKeys: `{${Array.from({ length: 200_000 * scale }, (_, index) => `"k${index}":${index}`).join(',')}}`,
  sameKeys: `{${times('"a":1,', MiB)}"a":2}`,
  strings: `[${times('"\\u0041\\n",', 2 * MiB)}"x"]`,
  hugeNumbers: `[${times('1e400,', MiB)}1]`,
  yamlBlocks: times('- ', MiB),
  yamlLines: times('- a\n', 2 * MiB),
  yamlKeys: times('? ', MiB),
  yamlMaps: Array.from({ length: 100_000 * scale }, (_, index) => `k${index}: v`).join('\n'),
  yamlAnchors: `a: &a [${times('x,', 1000)}x]\n${Array.from({ length: 2000 }, (_, index) => `b${index}: *a`).join('\n')}`,
  yamlMerges: `${Array.from({ length: 200 }, (_, index) => `k${index}: &k${index}\n  ${index > 0 ? `<<: [*k${index - 1}, *k${index - 1}]` : 'a: 1'}`).join('\n')}`,
  yamlFolded: `a: >\n  ${times('word word\n\n  ', MiB)}`,
  yamlQuoted: `"${times('\\x41\\\n ', MiB)}"`,
  yamlComments: times('# x\n', 2 * MiB),
  yamlFlow: times('{a: [', MiB),
  yamlTag: `!${times('x', MiB)} a`,
  yamlDocuments: times('---\n', MiB),
  base64: times('QUFB', 4 * MiB),
  binary: Buffer.alloc(2 * MiB, 0xff).toString('base64'),
  base32: times('MFRGG===', 2 * MiB),
  pem: `-----BEGIN CERTIFICATE-----\n${times('QUFB\n', MiB)}-----END CERTIFICATE-----\n`,
  manyPems: times('-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n', MiB),
  pattern: '(a*)*(b|c)+$',
  slowPattern: '(x{0,30}){0,30}y$',
  bigPattern: times('(a|', MiB),
  countedPattern: '((a{1,100}){1,100}){1,100}',
  classPattern: '[^a-z\\pL]+?x*?$',
  url: `http://${times('[', 1000)}${times('%2f', MiB)}?${times('a=b&', MiB)}`,
  version: `1.2.3-${times('a.', MiB)}1`,
  constraint: times('>1.2.3 || <2, ', MiB),
  durations: times('1h', MiB),
  layout: times('2006-01-02T15:04:05.999999999Z07:00 MST Jan Monday ', MiB),
  date: '2026-01-01',
  address: times('10.0.0.0/8 ', MiB),
  sockaddr: times('exclude "name" "x" | ', MiB),
  path: 'a.b.c',
  word: 'a',
};

const deepList = (depth: number): JsonValue => (depth === 0 ? [] : [deepList(depth - 1)]);
const deepMap = (depth: number): JsonValue => (depth === 0 ? {} : { a: deepMap(depth - 1) });
const values: Readonly<Record<string, JsonValue>> = {
  list: Array.from({ length: 200_000 * scale }, (_, index) => `item${index}`),
  numbers: Array.from({ length: 200_000 * scale }, (_, index) => new JsonNumber(String(index))),
  same: Array.from({ length: 100_000 * scale }, () => 'a'),
  lists: Array.from({ length: 20_000 * scale }, () => ['a', 'b']),
  deepList: deepList(250),
  deepMap: deepMap(250),
  map: Object.fromEntries(Array.from({ length: 100_000 * scale }, (_, index) => [`k${index}`, `v${index}`])),
  manyInOne: Object.fromEntries(Array.from({ length: 100_000 * scale }, (_, index) => [`k${index}`, []])),
  maps: Array.from({ length: 20_000 * scale }, (_, index) => ({ a: `${index}`, b: 'x' })),
  longTexts: Array.from({ length: 200 }, () => 'y'.repeat(20_000)),
};

const fields: Readonly<Record<string, JsonValue>> = { ...texts, ...values };

/** Only what is asked for: to make values of it all would cost more than most functions. */
function secretFor(call: string): Record<string, JsonValue> {
  const names = [...call.matchAll(/\$\.(\w+)/g)].map(([, name = '']) => name);
  return Object.fromEntries(names.flatMap((name) => (name in fields ? [[name, fields[name] ?? null]] : [])));
}

const field = (name: string): string => `$.${name}`;
const ofTexts = [...Object.keys(texts).map(field), '(base64Decode $.binary)'];
const lists = ['list', 'numbers', 'same', 'lists', 'deepList', 'maps', 'longTexts'].map(field);
const maps = [
  '$',
  '$.map',
  '(sprig_set $.map "a" $.map)',
  '(sprig_set $.manyInOne "a" (sprig_list $.manyInOne))',
  '$.deepMap',
  '$.itself',
  '(sprig_dict "a" $.list)',
];
const integers = ['0', '1', '-1', '3', '100000', '1000000000', '9223372036854775807', '-9223372036854775808'];
const floats = ['0.0', '-1.5', '1e308', '-1e308', '5e-324'];
const slices = ['(split "," $.commas)', '(split "" $.wide)', '(sprig_splitList "," $.keys)'];

function expressionsFor({ kind, name }: Type): readonly string[] {
  if (kind === 'string') return ofTexts;
  if (kind === 'bool') return ['true', 'false'];
  if (/^u?int/.test(kind)) return integers;
  if (/^float|^complex/.test(kind)) return floats;
  if (kind === 'slice') return name === '[]string' ? slices : [...lists, ...slices];
  if (kind === 'map') return maps;
  return [
    ...ofTexts,
    ...lists,
    ...lists,
    ...maps,
    ...maps,
    ...integers,
    ...floats,
    ...slices,
    'nil',
    '(loop 1000000)',
  ];
}

const random = createSeededRandom(seed);
const pick = (of: readonly string[]): string => of[Math.floor(random() * of.length)] ?? '';

function callOf(name: string, { parameters, isVariadic }: TemplateFunction): string {
  const last = parameters.at(-1);
  const types = [...parameters];
  if (isVariadic && last !== undefined) {
    types.pop();
    for (let more = Math.floor(random() * 4); more > 0; more -= 1) types.push(last);
  }
  return [name, ...types.map((type) => pick(expressionsFor(type)))].join(' ');
}

/** What the function gives is used, as templates do: printed, ranged over, or written in another form. */
const uses = [
  '{{ $x }}',
  '{{ range $k, $v := $x }}{{ $v }}{{ end }}',
  '{{ toJSON $x }}',
  '{{ len $x }}',
  '{{ printf "%#v" $x }}',
];

async function cost(call: string): Promise<number> {
  const body = `{{ $x := ${call} }}${pick(uses)}`;
  const self = call.includes('$.itself') ? '{{ $_ := sprig_set . "itself" . }}' : '';
  const text = `{{ define "body" }}${body}{{ end }}{{ with secret "val" }}{{ with .Data }}${self}{{ template "body" . }}{{ end }}{{ end }}`;
  const lookup = lookupIn({ val: secretFor(call) });
  const before = process.threadCpuUsage();
  try {
    await execute(text, { lookup, host });
  } catch (error) {
    if (!(error instanceof TemplateError)) throw new Error(`${body}: ${String(error)}`);
  }
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

const host = {
  ...emptyHost,
  readFile: () => Buffer.from(texts['manyKeys'] ?? ''),
  writeFile: () => undefined,
  runPlugin: () => texts['manyKeys'] ?? '',
  networkInterfaces: () => ({}),
};

t.setTimeout(60_000 + rounds * 60_000);
t.test(
  'every function keeps to the budget, whatever it is given',
  { timeout: 60_000 + rounds * 60_000 },
  async (t) => {
    const functions = await loadFunctions(functionNames());
    t.equal(functions.size, functionNames().length, 'every name has its function');
    const slowest: [number, string][] = [];
    for (const [name, declared] of functions) {
      if (only !== undefined && !name.startsWith(only)) continue;
      let worst = 0;
      for (let round = 0; round < rounds; round += 1) {
        const call = callOf(name, declared);
        const ms = await cost(call);
        if (ms > mostMs) t.fail(`${call}: ${Math.round(ms)} ms`);
        worst = Math.max(worst, ms);
        slowest.push([ms, call]);
      }
      t.ok(worst <= mostMs, `${name}: ${Math.round(worst)} ms`);
    }
    slowest.sort(([a], [b]) => b - a);
    for (const [ms, call] of slowest.slice(0, 5)) t.comment(`${Math.round(ms)} ms: ${call}`);
  },
);
