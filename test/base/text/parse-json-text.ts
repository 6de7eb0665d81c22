import { inspect } from 'node:util';
import t from 'tap';
import { parseJsonText } from '../../../src/base/text/parse-json-text.ts';
import { createSeededRandom } from '../../support/seeded-random.ts';

const plain = (value: number) => value;

t.test('reads an escaped key although an object before had a backslash for a key there', (t) => {
  for (const [before, text, keys] of [
    ['{"a":1,"\\\\":2}', '{"a":1,"\\n":2}', ['a', '\n']],
    ['{"a":1,"\\\\":2}', '{"a":1,"\\u0041" : 2}', ['a', 'A']],
    ['{"b":1,"x\\\\":2}', '{"b":1,"x\\"":[]}', ['b', 'x"']],
    ['[{"c":1,"\\\\":2},{"c":1}]', '[{"c":1,"\\\\":2},{"c":1,"\\t":{}}]', ['c', '\t']],
  ] as const) {
    JSON.parse(before);
    parseJsonText(before, plain);
    const found = [parseJsonText(text, plain)].flat().at(-1) as object;
    t.strictSame(Object.keys(found), keys, text);
  }
  t.end();
});

t.test('an error quotes nothing of the text', (t) => {
  for (const text of [
    'hunter2',
    '{"a":hunter2}',
    '{"a":"hunter2',
    '{"a\\n":hunter2}',
    '[1.50,hunter2]',
    '',
  ]) {
    try {
      parseJsonText(text, plain);
      t.fail(text);
    } catch (error) {
      t.ok(error instanceof SyntaxError);
      t.notMatch(inspect(error), /hunter/, text);
    }
  }
  t.end();
});

t.test('reads what JSON.stringify writes, whatever the keys', (t) => {
  const random = createSeededRandom(11);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const keys = [
    'a',
    '\\',
    'a\\',
    '\n',
    'a\n',
    '"',
    '":',
    '',
    '0',
    '{',
    '}',
    'é',
    '\u2028',
    '\0',
    '__proto__',
  ];
  const make = (depth: number): unknown => {
    const kind = pick(depth > 3 ? ['s', 'n'] : ['s', 'n', 'o', 'o', 'a']);
    if (kind === 's') return pick([...keys, true, false, null]);
    if (kind === 'n') return pick([0, -1, 1.5, 1e300, -2e-7]);
    const items = Array.from({ length: Math.floor(random() * 4) }, () => make(depth + 1));
    if (kind === 'a') return items;
    return Object.fromEntries(items.map((item) => [pick(keys), item]));
  };
  for (let round = 0; round < 20_000; round += 1) {
    const value = make(0);
    const text = JSON.stringify(value, undefined, pick([0, 0, 2, '\t']));
    const back = JSON.stringify(parseJsonText(text, plain));
    if (back !== JSON.stringify(value)) t.fail(text);
  }
  t.end();
});

t.test('gives each number its source, by either way', (t) => {
  for (const key of ['"k"', '"\\n"']) {
    const sources: string[] = [];
    parseJsonText(`{${key}:[1.50, -0 ,1e400],"n":7}`, (value, source) => {
      sources.push(source);
      return value;
    });
    t.strictSame(sources, ['1.50', '-0', '1e400', '7'], key);
  }
  t.end();
});

t.test('gives the same whether numbers are written as they are printed or not', (t) => {
  const kept = (_value: number, source: string) => ({ source });
  for (const text of [
    '{"__proto__":7,"a":{"__proto__":{"b":1}}}',
    '[1,[2,{"c":-3}],"4",":5",null,true]',
    ' {"d" : 10 , "e":[ 20 ]}',
    '{"text":":1.50","f":6}',
    '[9007199254740993,1e21,1E3,0.1,-0.5]',
    '12',
  ]) {
    // One that is not, so that each is read the other way.
    const [, other] = parseJsonText(`[1.0,${text}]`, kept) as unknown[];
    const [own] = parseJsonText(`[${text}]`, kept) as unknown[];
    t.strictSame(own, other, text);
    t.equal(JSON.stringify(parseJsonText(text, kept)), JSON.stringify(other), text);
  }
  t.end();
});

t.test('takes the last of a key that comes twice, and refuses what is no JSON', (t) => {
  t.strictSame(parseJsonText('{"\\n":1,"a":2,"\\u000a":3}', plain), { '\n': 3, a: 2 });
  for (const text of [
    '{"\\n":}',
    '{"\\n":1',
    '{"\\x":1}',
    '"\\":',
    '\\":',
    '"\\',
    '{"\\n":1}x',
    '{"\\n":01}',
  ]) {
    t.throws(() => parseJsonText(text, plain), SyntaxError, text);
  }
  t.end();
});
