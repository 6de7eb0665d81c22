// Whatever a template or a value holds: it ends, and it fails with a TemplateError or not at all.
import fc from 'fast-check';
import t from 'tap';
import type { JsonValue } from '../../src/base/text/json.ts';
import { defaultLimits } from '../../src/template/exec/limits.ts';
import { lookupIn, outcome } from '../support/render-text.ts';

const limits = { ...defaultLimits, steps: 20_000, outputBytes: 100_000, stringBytes: 100_000 };
const data = {
  s: 'text',
  e: '',
  on: true,
  nul: null,
  list: ['a', null, { k: 'v' }, ['x']],
  map: { a: { b: 'c' } },
};
const options = { limits, lookup: lookupIn({ 'kv/app': data }) };
const pick = fc.constantFrom;

const literal = pick(
  '1',
  '-3',
  '1.5',
  "'a'",
  '1i',
  '`raw`',
  '"q\\n"',
  '``',
  'true',
  'nil',
  '1e3',
  '9223372036854775807',
);
const field = pick(
  '.',
  '$',
  '.Data',
  '.Data.s',
  '.Data.list',
  '.Data.map.a.b',
  '.Data.nul.x',
  '.nope',
  '$x',
  '.LeaseID',
);
const name = pick(
  ...'print printf println len index slice eq ne lt and or not html js urlquery call'.split(' '),
  ...'toUpper split join add loop parseJSON toJSON parseYAML toYAML indent replaceAll regexMatch contains'.split(
    ' ',
  ),
  ...'sprig_list sprig_dict sprig_append sprig_repeat sprig_until executeTemplate secret'.split(' '),
);
const { pipeline } = fc.letrec<{ pipeline: string; command: string; operand: string }>((tie) => ({
  operand: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    literal,
    field,
    tie('pipeline').map((inner) => `(${inner})`),
    tie('pipeline').map((inner) => `(${inner}).a.b`),
  ),
  command: fc.oneof(
    tie('operand'),
    fc
      .tuple(name, fc.array(tie('operand'), { maxLength: 3 }))
      .map(([called, args]) => [called, ...args].join(' ')),
  ),
  pipeline: fc.array(tie('command'), { minLength: 1, maxLength: 3 }).map((commands) => commands.join(' | ')),
}));
const { list } = fc.letrec<{ list: string; statement: string }>((tie) => ({
  statement: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    pick('text', ' \n ', 'é', '}}'),
    pipeline.map((pipe) => `{{ ${pipe} }}`),
    pipeline.map((pipe) => `{{- $x := ${pipe} -}}`),
    pipeline.map((pipe) => `{{ $x = ${pipe} }}`),
    pick('{{ break }}', '{{ continue }}', '{{/* c */}}', '{{ template "t" . }}', '{{ end }}'),
    fc
      .tuple(pick('if', 'with', 'range', 'range $i, $x :='), pipeline, tie('list'), tie('list'))
      .map(([kind, pipe, body, rest]) => `{{ ${kind} ${pipe} }}${body}{{ else }}${rest}{{ end }}`),
    fc.tuple(pipeline, tie('list')).map(([pipe, body]) => `{{ block "b" ${pipe} }}${body}{{ end }}`),
  ),
  list: fc.array(tie('statement'), { maxLength: 4 }).map((statements) => statements.join('')),
}));
const template = fc
  .tuple(list, list)
  .map(
    ([defined, body]) =>
      `{{ define "t" }}${defined}{{ end }}{{ $x := 1 }}{{ with secret "kv/app" }}${body}{{ end }}`,
  );

t.test('a template of the grammar ends with an output or a TemplateError', async () => {
  await fc.assert(
    fc.asyncProperty(template, async (text) => {
      await outcome(text, options);
    }),
    { numRuns: 400 },
  );
});

t.test('gives the same twice', async (t) => {
  await fc.assert(
    fc.asyncProperty(template, async (text) => {
      t.same(String(await outcome(text, options)), String(await outcome(text, options)));
    }),
    { numRuns: 50 },
  );
});

t.test('random bytes are rendered as they are or refused', async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc
      .uint8Array({ maxLength: 60 })
      .map((inner) => Buffer.concat([Buffer.from('{{'), inner, Buffer.from('}}')])),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (text) => {
      await outcome(Buffer.from(text), options);
    }),
    { numRuns: 1000 },
  );
});

t.test('text without a delimiter comes out byte for byte', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
      const text = Buffer.from(bytes.map((byte) => (byte === 0x7b ? 0x7a : byte)));
      const { parseTemplate } = await import('../../src/template/template.ts');
      const { emptyHost } = await import('../support/render-text.ts');
      const result = (await parseTemplate({ name: 'x', text })).execute({ ...options, host: emptyHost });
      t.ok(result.output.equals(text));
    }),
    { numRuns: 100 },
  );
});

t.test('tokens in any order end with an output or a TemplateError', async () => {
  const token = pick(
    ...['{{', '}}', '{{-', '-}}', '(', ')', '|', '.', '$x', ':=', '=', ',', '"', '`', "'", '\\', '\n', ' '],
    ...[
      'if',
      'with',
      'range',
      'else',
      'end',
      'define',
      'block',
      'template',
      'break',
      'nil',
      '.a',
      '1',
      '0x',
      'print',
      '/*',
      '*/',
    ],
  );
  await fc.assert(
    fc.asyncProperty(fc.array(token, { maxLength: 30 }), pick('', ' '), async (tokens, between) => {
      await outcome(tokens.join(between), options);
    }),
    { numRuns: 1500 },
  );
});

t.test('nesting of any depth and kind ends with an output or a TemplateError', async () => {
  const kinds: readonly (readonly [string, string, string])[] = [
    ['{{ if 1 }}', 'x', '{{ end }}'],
    ['{{ with 1 }}', 'x', '{{ end }}'],
    ['{{ range 2 }}', 'x', '{{ end }}'],
    ['{{ block "a" . }}', 'x', '{{ end }}'],
    ['{{ if 0 }}{{ else }}', 'x', '{{ end }}'],
  ];
  for (const depth of [10, 400, 499, 500, 501, 5000, 100_000]) {
    await outcome(`{{ ${'('.repeat(depth)}1${')'.repeat(depth)} }}`, options);
    await outcome(`{{ ${'(print '.repeat(depth)}1${')'.repeat(depth)} }}`, options);
    await outcome(`{{ ${'('.repeat(depth)}print 1${').x'.repeat(depth)} }}`, options);
    for (const [open, inner, close] of kinds) {
      await outcome(open.repeat(depth) + inner + close.repeat(depth), options);
      await outcome(open.repeat(depth), options);
    }
  }
});

t.test('a value of any shape is printed, walked and compared within the limits', async () => {
  const { value } = fc.letrec<{ value: JsonValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      fc.string({ unit: 'binary' }),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), { maxKeys: 4 }),
    ),
  }));
  const text = `{{ with secret "kv/any" }}{{ $d := .Data }}{{ range $k, $v := .Data }}
{{ $k }} {{ $v }} {{ printf "%v %+v %#v %q %x %T %d" $v $v $v $v $v $v $v }}
{{ if $v }}{{ len (print $v) }}{{ end }}{{ html $v }}{{ js $v }}{{ urlquery $v }}{{ eq $k "a" }}{{ toJSON $v }}{{ toYAML $v }}
{{ end }}{{ end }}`;
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.string(), value, { maxKeys: 4 }), async (fields) => {
      const lookup = lookupIn({ 'kv/any': fields });
      await outcome(text, { limits, lookup });
    }),
    { numRuns: 200 },
  );
});
