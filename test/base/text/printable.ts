import fc from 'fast-check';
import t from 'tap';
import { printable, printableJson, printableLines } from '../../../src/base/text/printable.ts';

t.test('writes out what would move a cursor, begin a line or turn letters around', async (t) => {
  const cases: [text: string, expected: string][] = [
    ['plain, grüße, 秘密, 🔑', 'plain, grüße, 秘密, 🔑'],
    ['\u001b[2J\u0007', '\\x1b[2J\\x07'],
    ['\u009b2J\u007f\u0085', '\\x9b2J\\x7f\\x85'],
    ['a\nb\r\tc', 'a\\nb\\r\\tc'],
    ['\u202egpj.exe\u202c\u2066x\u2069\u200f\u061c', '\\u202egpj.exe\\u202c\\u2066x\\u2069\\u200f\\u061c'],
    ['a\u2028b\u2029c\ufeff', 'a\\u2028b\\u2029c\\ufeff'],
    ['\u{e0041}\ud800', '\\u{e0041}\\ud800'],
  ];
  for (const [text, expected] of cases) t.equal(printable(text), expected);
  t.equal(printableLines('a\tb\n\u001b[0m\r\n'), 'a\tb\n\\x1b[0m\\r\n');
});

t.test('JSON says the same afterwards, and holds nothing of the kind', async (t) => {
  fc.assert(
    fc.property(fc.json({ stringUnit: 'binary' }), (text) => {
      const written = printableJson(text);
      t.same(JSON.parse(written), JSON.parse(text));
      return !/[\u0000-\u0008\u007f-\u009f\u2028-\u202e]/.test(written);
    }),
  );
  t.equal(
    JSON.parse(printableJson(JSON.stringify('\u009b\u202e\u{e0041}\ud800'))),
    '\u009b\u202e\u{e0041}\ud800',
  );
});
