import fc from 'fast-check';
import t from 'tap';
import {
  decodeLastRune,
  decodeRune,
  decodeRunes,
  decodeText,
  encodeRune,
  encodeText,
  fromBuffer,
  runeCount,
  toBuffer,
} from '../../../src/template/text/bytes.ts';

t.test('text goes in and comes out', async (t) => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      (text) => decodeText(encodeText(text)) === text.toWellFormed(),
    ),
  );
  t.equal(encodeText('é'), '\xc3\xa9');
  t.equal(encodeText('\ud800'), '\xef\xbf\xbd');
});

t.test('bytes go in and come out', async () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) =>
      toBuffer(fromBuffer(Buffer.from(bytes))).equals(Buffer.from(bytes)),
    ),
  );
});

t.test('takes runes as Go does: a bad byte is one U+FFFD of size 1', async (t) => {
  const cases: readonly (readonly [string, readonly number[]])[] = [
    ['a\xc3\xa9', [0x61, 0xe9]],
    ['\xf0\x9f\x98\x80', [0x1f600]],
    ['\xff\xc3', [0xfffd, 0xfffd]],
    ['\xc0\x80', [0xfffd, 0xfffd]],
    ['\xed\xa0\x80', [0xfffd, 0xfffd, 0xfffd]],
    ['\xe2\x82', [0xfffd, 0xfffd]],
    ['\xf4\x90\x80\x80', [0xfffd, 0xfffd, 0xfffd, 0xfffd]],
  ];
  for (const [bytes, runes] of cases) {
    t.same(decodeRunes(bytes), runes);
    t.equal(runeCount(bytes), runes.length);
  }
  t.same(decodeRune('', 0), { rune: 0xfffd, size: 0 });
});

t.test('going back takes the same runes as going forward', async () => {
  const valid = fc.string({ unit: 'binary' }).map(encodeText);
  fc.assert(
    fc.property(valid, (bytes) => {
      const back: number[] = [];
      for (let end = bytes.length; end > 0; ) {
        const { rune, size } = decodeLastRune(bytes, end);
        back.unshift(rune);
        end -= size;
      }
      return JSON.stringify(back) === JSON.stringify(decodeRunes(bytes));
    }),
  );
});

t.test('an invalid rune is written as U+FFFD', async (t) => {
  t.equal(encodeRune(0x20ac), '\xe2\x82\xac');
  for (const rune of [-1, 0xd800, 0x110000]) t.equal(encodeRune(rune), '\xef\xbf\xbd');
});
