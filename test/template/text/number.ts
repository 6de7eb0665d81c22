import t from 'tap';
import { CallError } from '../../../src/template/exec/function-table.ts';
import { parseInteger, readFloat, readInteger, readUnsigned } from '../../../src/template/text/number.ts';

t.test('reads integers as strconv', async (t) => {
  const cases: readonly (readonly [string, number, bigint | string])[] = [
    ['12', 10, 12n],
    ['-9223372036854775808', 10, -9223372036854775808n],
    ['9223372036854775808', 10, 'value out of range'],
    ['0x1F', 0, 31n],
    ['-0b11', 0, -3n],
    ['0o17', 0, 15n],
    ['017', 0, 15n],
    ['08', 0, 'invalid syntax'],
    ['1_000', 0, 1000n],
    ['0x_1', 0, 1n],
    ['1__0', 0, 'invalid syntax'],
    ['_1', 0, 'invalid syntax'],
    ['1_', 0, 'invalid syntax'],
    ['1_0', 10, 'invalid syntax'],
    ['0x1', 10, 'invalid syntax'],
    ['', 10, 'invalid syntax'],
    [' 1', 10, 'invalid syntax'],
    ['+5', 10, 5n],
  ];
  for (const [text, base, wanted] of cases) t.equal(readInteger(text, base, 64), wanted, text);
  t.equal(readUnsigned('18446744073709551615', 10, 64), 18446744073709551615n);
  t.equal(readUnsigned('-1', 10, 64), 'invalid syntax');
  t.equal(readUnsigned('256', 10, 8), 'value out of range');
  t.throws(() => parseInteger('x', 10, 64), CallError);
});

t.test('reads floats as strconv', async (t) => {
  const cases: readonly (readonly [string, number | string])[] = [
    ['1.5', 1.5],
    ['.5', 0.5],
    ['5.', 5],
    ['1e3', 1000],
    ['1_000.5', 1000.5],
    ['0x1.8p1', 3],
    ['0x1p-1074', 5e-324],
    ['0x1p-1076', 0],
    ['0x1.fffffffffffff8p1023', 'value out of range'],
    ['0x1.8', 'invalid syntax'],
    ['1e309', 'value out of range'],
    ['-inf', Number.NEGATIVE_INFINITY],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['1e', 'invalid syntax'],
    ['.', 'invalid syntax'],
    ['', 'invalid syntax'],
  ];
  for (const [text, wanted] of cases) t.equal(readFloat(text), wanted, text);
  t.ok(Number.isNaN(readFloat('NaN')));
});
