import t from 'tap';
import { encodeText } from '../../../src/template/text/bytes.ts';
import {
  canBackquote,
  quoteRune,
  quoteString,
  unquoteChar,
  unquoteString,
} from '../../../src/template/text/quote.ts';

t.test('quotes as strconv.Quote', async (t) => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['plain', '"plain"', '"plain"'],
    ['a"b\\c', '"a\\"b\\\\c"', '"a\\"b\\\\c"'],
    ['\x07\b\f\n\r\t\v\0\x7f', '"\\a\\b\\f\\n\\r\\t\\v\\x00\\x7f"', '"\\a\\b\\f\\n\\r\\t\\v\\x00\\x7f"'],
    [encodeText('é世😀'), encodeText('"é世😀"'), '"\\u00e9\\u4e16\\U0001f600"'],
    [encodeText('\u200b\ufeff'), '"\\u200b\\ufeff"', '"\\u200b\\ufeff"'],
    ['\xff\xc3', '"\\xff\\xc3"', '"\\xff\\xc3"'],
  ];
  for (const [text, quoted, ascii] of cases) {
    t.equal(quoteString(text), quoted);
    t.equal(quoteString(text, true), ascii);
    t.equal(unquoteString(quoted), text);
  }
  t.equal(quoteRune(0x27), "'\\''");
  t.equal(quoteRune(0x110000), encodeText("'\ufffd'"));
});

t.test('unquotes constants, and refuses malformed ones', async (t) => {
  t.equal(unquoteString('`a\r\n\\n`'), 'a\n\\n');
  t.equal(unquoteString('"\\x41\\101\\u00e9\\U0001F600"'), encodeText('AAé😀'));
  for (const bad of [
    '"',
    '"a',
    '"\\q"',
    '"\\x4"',
    '"\\400"',
    '"\\ud800"',
    '"a\nb"',
    '"\\\'"',
    '`a`b`',
    "'a'",
  ]) {
    t.equal(unquoteString(bad), null, bad);
  }
  t.same(unquoteChar("'\\''", 1, "'"), { rune: 0x27, size: 2, isByte: true });
  t.equal(unquoteChar("''", 1, "'"), null);
});

t.test('knows what can stand between back quotes', async (t) => {
  t.ok(canBackquote(encodeText('tab\t é')));
  for (const bad of ['`', '\n', '\x7f', '\xff', encodeText('\ufeff')])
    t.notOk(canBackquote(bad), JSON.stringify(bad));
});
