import t from 'tap';
import { parseTemplate } from '../../src/template/template.ts';
import { emptyHost, failureOf, lookupIn, outcome } from '../support/render-text.ts';

t.test('is parsed once and executed many times', async (t) => {
  const template = await parseTemplate({
    name: 'a',
    text: '{{ with secret "kv/a" }}{{ .Data.v }}{{ end }}{{ scratch.Get "n" }}{{ scratch.Set "n" 1 }}',
  });
  for (const v of ['one', 'two']) {
    const result = template.execute({ lookup: lookupIn({ 'kv/a': { v } }), host: emptyHost });
    t.equal(result.output.toString(), `${v}<no value>`);
  }
  t.same([...template.usedFunctions].sort(), ['scratch', 'secret']);
});

t.test('takes other delimiters, and the default for empty ones', async (t) => {
  const options = { lookup: lookupIn({}), host: emptyHost };
  const other = await parseTemplate({
    name: 'a',
    text: '<< 1 >>{{ 2 }}',
    leftDelimiter: '<<',
    rightDelimiter: '>>',
  });
  t.equal(other.execute(options).output.toString(), '1{{ 2 }}');
  const same = await parseTemplate({ name: 'a', text: '{{ 1 }}', leftDelimiter: '', rightDelimiter: '' });
  t.equal(same.execute(options).output.toString(), '1');
});

t.test('names the file in errors of all templates in it', async (t) => {
  const error = await failureOf('{{ define "inner" }}\n{{ index nil 1 }}{{ end }}{{ template "inner" }}');
  t.match(error, { templateName: 'app.ctmpl', line: 2, column: 3, code: 'template_failed' });
  t.equal(
    error.message,
    'template: app.ctmpl:2:3: executing "inner" at <index nil 1>: error calling index: index of untyped nil',
  );
});

t.test('columns count bytes, messages are text', async (t) => {
  const error = await failureOf('é{{ "ü" | parseInt }}');
  t.equal(error.column, 12);
  t.match(error.message, /at <parseInt>: .* parsing "ü": invalid syntax$/);
});

t.test('a message is never longer than eight thousand characters', async (t) => {
  const error = await failureOf(`{{ index nil "${'x'.repeat(100_000)}" }}`);
  t.ok(error.message.length < 8200);
});

t.test('bytes that are no UTF-8 stay', async (t) => {
  const text = Buffer.from([0x80, 0xff, 0x7b, 0x7b, 0x60, 0xfe, 0x60, 0x7d, 0x7d]);
  const template = await parseTemplate({ name: 'a', text });
  const { output } = template.execute({ lookup: lookupIn({}), host: emptyHost });
  t.same([...output], [0x80, 0xff, 0xfe]);
});

t.test('reads Go’s maps, however keys are called', async (t) => {
  const lookup = lookupIn({ 'kv/a': { constructor: 'c', toString: 's', length: 'l', size: 'z' } });
  const text =
    '{{ with secret "kv/a" }}{{ .Data.constructor }}{{ .Data.toString }}{{ .Data.length }}{{ .Data.size }}{{ .Data.valueOf }}{{ end }}';
  t.equal(await outcome(text, { lookup }), 'cslz<no value>');
});
