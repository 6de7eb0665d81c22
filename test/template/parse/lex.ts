import t from 'tap';
import { createLexer } from '../../../src/template/parse/lex.ts';
import { type Item, itemText } from '../../../src/template/parse/scan.ts';

function lexed(text: string, left = '{{', right = '}}'): Item[] {
  const lexer = createLexer(text, left, right);
  const items: Item[] = [];
  for (;;) {
    const item = lexer.nextItem();
    items.push(item);
    if (item.type === 'eof' || item.type === 'error') return items;
  }
}

const brief = (text: string, left?: string, right?: string): string =>
  lexed(text, left, right)
    .map(({ type, value }) => (type === 'space' || type === 'eof' ? type : `${type}:${value}`))
    .join(' ');

t.test('cuts texts and actions into items', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['', 'eof'],
    ['a\nb', 'text:a\nb eof'],
    ['x{{.a.b}}y', 'text:x leftDelim:{{ field:.a field:.b rightDelim:}} text:y eof'],
    [
      '{{$x := 1|f -2}}',
      'leftDelim:{{ variable:$x space declare::= space number:1 pipe:| identifier:f space number:-2 rightDelim:}} eof',
    ],
    [
      '{{if true}}{{nil}}',
      'leftDelim:{{ if:if space bool:true rightDelim:}} leftDelim:{{ nil:nil rightDelim:}} eof',
    ],
    [
      '{{\'a\' `b` "c\\"" 1+2i}}',
      'leftDelim:{{ charConstant:\'a\' space rawString:`b` space string:"c\\"" space complex:1+2i rightDelim:}} eof',
    ],
    ['{{(.)}}', 'leftDelim:{{ leftParen:( dot:. rightParen:) rightDelim:}} eof'],
    ['{{$ , =}}', 'leftDelim:{{ variable:$ space char:, space assign:= rightDelim:}} eof'],
  ];
  for (const [text, wanted] of cases) t.equal(brief(text), wanted, text);
});

t.test('trims at markers with white space beside them', async (t) => {
  t.equal(brief('a \n{{- 1 -}}\t\r b'), 'text:a leftDelim:{{ number:1 rightDelim:}} text:b eof');
  t.equal(brief('a {{-1}}'), 'text:a  leftDelim:{{ number:-1 rightDelim:}} eof');
  t.equal(brief('a {{- /* c */ -}} b'), 'text:a text:b eof');
  t.equal(brief('{{/* c */}}\n'), 'text:\n eof');
});

t.test('stops at the first error', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['{{', 'unclosed action'],
    ['{{/*', 'unclosed comment'],
    ['{{/* */ }}', 'comment ends before closing delimiter'],
    ['{{"a', 'unterminated quoted string'],
    ['{{`a', 'unterminated raw quoted string'],
    ["{{'a", 'unterminated character constant'],
    ['{{(}}', 'unclosed left paren'],
    ['{{)', 'unexpected right paren'],
    ['{{a:b}}', 'expected :='],
    ['{{.a-b}}', "bad character U+002D '-'"],
    ['{{3k}}', 'bad number syntax: "3k"'],
    ['{{\x01}}', 'unrecognized character in action: U+0001'],
  ];
  for (const [text, wanted] of cases) t.equal(lexed(text).at(-1)?.value, wanted, text);
});

t.test('takes any delimiters', async (t) => {
  t.equal(
    brief('<% 1 %>{{ 2 }}', '<%', '%>'),
    'leftDelim:<% space number:1 space rightDelim:%> text:{{ 2 }} eof',
  );
  t.equal(brief('((print 1))', '((', '))'), 'leftDelim:(( identifier:print space number:1 rightDelim:)) eof');
});

t.test('knows lines and byte positions', async (t) => {
  const items = lexed('\xc3\xa9\n{{\n`\n`\n1}}');
  t.same(
    items.map(({ type, pos, line }) => [type, pos, line]),
    [
      ['text', 0, 1],
      ['leftDelim', 3, 2],
      ['space', 5, 2],
      ['rawString', 6, 3],
      ['space', 9, 4],
      ['number', 10, 5],
      ['rightDelim', 11, 5],
      ['eof', 13, 5],
    ],
  );
});

t.test('shows items as errors do', async (t) => {
  const shown = lexed('{{if "0123456789abc" f}}').map(itemText);
  t.same(shown, ['"{{"', '<if>', '" "', '"\\"012345678"...', '" "', '"f"', '"}}"', 'EOF']);
});
