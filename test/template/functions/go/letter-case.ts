import t from 'tap';
import {
  titleRune,
  titleWords,
  toLower,
  toUpper,
} from '../../../../src/template/functions/go/letter-case.ts';
import { encodeText } from '../../../../src/template/text/bytes.ts';

const upper = { straße: 'STRAßE', ŉ: 'ŉ', ᾳ: 'ᾼ', ﬁ: 'ﬁ', ǆ: 'Ǆ', '\u0264': '\u0264' };
const lower = { İ: 'i', ΑΣ: 'ας'.replace('ς', 'σ'), ẞ: 'ß' };
const title = {
  'hello wörld': 'Hello Wörld',
  ßa: 'Ssa',
  "o'neil": "O'neil",
  'a..b': 'A..B',
  '3rd': '3Rd',
  'ǆ x': 'ǅ X',
};

t.test('maps one rune to one rune, as Go', (t) => {
  for (const [from, to] of Object.entries(upper)) t.equal(toUpper(encodeText(from)), encodeText(to), from);
  for (const [from, to] of Object.entries(lower)) t.equal(toLower(encodeText(from)), encodeText(to), from);
  t.equal(titleRune(0x1c6), 0x1c5);
  t.end();
});

t.test('titles the first cased letter of each word', (t) => {
  for (const [from, to] of Object.entries(title)) t.equal(titleWords(encodeText(from)), encodeText(to), from);
  t.end();
});

t.test('a byte that is no UTF-8 becomes the replacement rune where Go maps runes', (t) => {
  t.equal(toUpper('a\xff'), 'A\xef\xbf\xbd');
  t.equal(titleWords('\xffa'), '\xffA');
  t.end();
});
