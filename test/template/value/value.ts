import t from 'tap';
import { JsonNumber } from '../../../src/base/text/json.ts';
import '../../../src/template/value/secret.ts';
import { typeOfName } from '../../../src/template/value/type.ts';
import {
  anyMap,
  anySlice,
  ComplexValue,
  integer,
  isTrue,
  MapValue,
  nilInterface,
  PointerValue,
  stringMap,
  stringSlice,
  typeName,
  type Value,
} from '../../../src/template/value/value.ts';

t.test('names types as Go', async (t) => {
  const cases: readonly (readonly [Value, string])[] = [
    ['a', 'string'],
    [1n, 'int'],
    [1, 'float64'],
    [true, 'bool'],
    [null, '<nil>'],
    [new JsonNumber('1'), 'json.Number'],
    [integer(typeOfName('uint8'), 300n), 'uint8'],
    [new ComplexValue(1, 2), 'complex128'],
    [anySlice([]), '[]interface {}'],
    [stringMap([]), 'map[string]string'],
    [nilInterface, 'interface {}'],
    [new PointerValue(typeOfName('*dependency.Secret'), null), '*dependency.Secret'],
  ];
  for (const [value, name] of cases) t.equal(typeName(value), name);
  t.equal(typeOfName('map[string][]any').name, 'map[string][]interface {}');
  t.equal(typeOfName('[]any'), typeOfName('[]interface {}'));
  t.throws(() => typeOfName('nope'));
});

t.test('truth is not being the zero of one’s type', async (t) => {
  for (const value of [
    'a',
    1n,
    -0.5,
    Number.NaN,
    true,
    new JsonNumber('0'),
    anySlice([null]),
    new ComplexValue(0, 1),
  ]) {
    t.ok(isTrue(value));
  }
  for (const value of [
    '',
    0n,
    0,
    false,
    null,
    nilInterface,
    anySlice([]),
    anySlice(null),
    anyMap([]),
    stringSlice(null),
  ]) {
    t.notOk(isTrue(value));
  }
});

t.test('wraps integers to their type', async (t) => {
  t.match(integer(typeOfName('uint8'), 257n), { value: 1n });
  t.match(integer(typeOfName('int64'), 2n ** 63n), { value: -(2n ** 63n) });
  t.equal(integer(typeOfName('int'), 2n ** 64n), 0n);
});

t.test('keeps keys of unlike types apart, in the order in which Go prints them', async (t) => {
  const int64 = integer(typeOfName('int64'), 1n);
  const keys: Value[] = [true, 'b', 1n, 1, int64, '1', null, false, 'a'];
  const map = new MapValue(
    typeOfName('map[any]any'),
    keys.map((key, index) => [key, BigInt(index)] as const),
  );
  t.equal(map.size, keys.length);
  t.same(map.keys(), [null, '1', 'a', 'b', int64, 1n, 1, false, true]);
  t.equal(map.get(integer(typeOfName('int64'), 1n)), 4n);
  map.delete(int64);
  t.notOk(map.has(int64));
  t.equal(map.keys().length, keys.length - 1);
});
