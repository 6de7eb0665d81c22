import t from 'tap';
import { type FloatVerb, formatFloat } from '../../../src/template/text/float-format.ts';

t.test('formats floats as strconv.FormatFloat', async (t) => {
  const cases: readonly (readonly [number, FloatVerb, number, string])[] = [
    [1e6, 'g', -1, '1e+06'],
    [999999, 'g', -1, '999999'],
    [0.0001, 'g', -1, '0.0001'],
    [0.00001, 'g', -1, '1e-05'],
    [123456789, 'g', -1, '1.23456789e+08'],
    [1234.5678, 'g', 3, '1.23e+03'],
    [100, 'g', 3, '100'],
    [0, 'g', 3, '0'],
    [2.5, 'f', 0, '2'],
    [0.125, 'f', 2, '0.12'],
    [1.005, 'f', 2, '1.00'],
    [9.99, 'f', 1, '10.0'],
    [0.5, 'f', 0, '0'],
    [0.96, 'f', 1, '1.0'],
    [1e22, 'f', 1, '10000000000000000000000.0'],
    [1e-10, 'f', 3, '0.000'],
    [123456, 'e', 2, '1.23e+05'],
    [0, 'E', 1, '0.0E+00'],
    [5e-324, 'e', -1, '5e-324'],
    [5e-324, 'f', 1, '0.0'],
    [1.5, 'x', -1, '0x1.8p+00'],
    [3.1, 'x', 2, '0x1.8dp+01'],
    [0, 'x', 3, '0x0.000p+00'],
    [-0.75, 'X', -1, '-0X1.8P-01'],
    [2, 'b', -1, '4503599627370496p-51'],
    [-0, 'g', -1, '-0'],
    [Number.NaN, 'f', 2, 'NaN'],
    [Number.POSITIVE_INFINITY, 'e', 2, '+Inf'],
  ];
  for (const [value, verb, precision, wanted] of cases) {
    t.equal(formatFloat(value, verb, precision), wanted, `${value} %${verb} ${precision}`);
  }
});
