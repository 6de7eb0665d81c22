import t from 'tap';
import { JsonNumber } from '../../../src/base/text/json.ts';
import { createCallContext } from '../../../src/template/exec/call-context.ts';
import { CallError } from '../../../src/template/exec/function-table.ts';
import { defaultLimits } from '../../../src/template/exec/limits.ts';
import { sprint, sprintln } from '../../../src/template/text/print.ts';
import { sprintf } from '../../../src/template/text/printf.ts';
import { typeOfName } from '../../../src/template/value/type.ts';
import {
  anyMap,
  anySlice,
  IntegerValue,
  stringSlice,
  type Value,
} from '../../../src/template/value/value.ts';
import { emptyHost, lookupIn } from '../../support/render-text.ts';

const context = createCallContext({
  text: '',
  lookup: lookupIn({}),
  host: emptyHost,
  limits: defaultLimits,
  executeTemplate: () => '',
});
const int64 = (value: bigint) => new IntegerValue(typeOfName('int64'), value);

t.test('formats as fmt.Sprintf', async (t) => {
  const cases: readonly (readonly [string, readonly Value[], string])[] = [
    ['%d %5d|%-5d|%05d %+d % d', [1n, 2n, 3n, -4n, 5n, 6n], '1     2|3    |-0004 +5  6'],
    [
      '%x %X %#x %o %O %b %#b %c %q %U',
      [255n, 255n, 255n, 8n, 8n, 5n, 5n, 65n, 65n, 65n],
      "ff FF 0xff 10 0o10 101 0b101 A 'A' U+0041",
    ],
    ['%v %T %d %#v', [int64(-7n), int64(-7n), int64(-7n), int64(-7n)], '-7 int64 -7 -7'],
    ['%#v %#v', [new IntegerValue(typeOfName('uint8'), 7n), true], '0x7 true'],
    [
      '%f %.2f %8.3f %e %g %G',
      [1, 2.345, 3, 4, 1e6, 1e-7],
      '1.000000 2.35    3.000 4.000000e+00 1e+06 1E-07',
    ],
    ['%s %q %x %.2s %5s|', ['a', 'b"', 'hi', 'abc', 'x'], 'a "b\\"" 6869 ab     x|'],
    [
      '%v %d %q %T',
      ['n', 'n', 'n', 'n'].map(() => new JsonNumber('1.50')),
      '1.50 %!d(json.Number=1.50) "1.50" json.Number',
    ],
    [
      '%v %+v',
      [
        anySlice([1n, 'a', null]),
        anyMap([
          ['b', 1],
          ['a', stringSlice(['x'])],
        ]),
      ],
      '[1 a <nil>] map[a:[x] b:1]',
    ],
    [
      '%#v',
      [anyMap([['k', anySlice([null])]])],
      'map[string]interface {}{"k":[]interface {}{interface {}(nil)}}',
    ],
    ['%[2]*[1]d|%[3]d', [1n, 4n], '   1|%!d(BADINDEX)'],
    ['%d %z %!', ['s', 1n], '%!d(string=s) %!z(int=1) %!!(NOVERB)'.replace('%!!(NOVERB)', '%!!(MISSING)')],
    ['%', [1n], '%!(NOVERB)%!(EXTRA int=1)'],
  ];
  for (const [format, args, wanted] of cases) t.equal(sprintf(context, format, args), wanted, format);
});

t.test('puts spaces as Sprint and Sprintln', async (t) => {
  t.equal(sprint(context, ['a', 'b', 1n, 2n, 'c', null, null]), 'ab1 2c<nil> <nil>');
  t.equal(sprintln(context, ['a', 1n]), 'a 1\n');
});

t.test('refuses what would be too long or too deep', async (t) => {
  t.throws(
    () =>
      sprintf(
        context,
        '%1000000d'.repeat(20),
        Array.from({ length: 20 }, () => 1n),
      ),
    CallError,
  );
  let nested = anySlice([]);
  for (let i = 0; i < 10_000; i++) nested = anySlice([nested]);
  t.throws(() => sprint(context, [nested]), CallError);
  const cycle = anyMap([]);
  cycle.set('self', cycle);
  t.throws(() => sprint(context, [cycle]), CallError);
});
