import t from 'tap';
import { jsonExcess } from '../../../src/base/text/json-excess.ts';

const excess = (text: string) => jsonExcess(Buffer.from(text));
const object = (keys: number) =>
  `{${Array.from({ length: keys }, (_, index) => `"${index}":"}{][,\\\\\\"${index}"`).join(',')}}`;
const list = (values: number) => `[${Array.from({ length: values }, () => '"a"').join(',')}]`;

t.test('tells what is too much, whatever stands in strings', async (t) => {
  t.equal(excess(object(20_000)), undefined);
  t.match(excess(object(20_001)), /object of more than 20000 keys/);
  t.equal(
    excess(` [${object(9_000)},${object(9_000)},${object(9_000)}]`),
    undefined,
    'each counts by itself',
  );
  t.equal(excess(list(99_000)), undefined);
  t.match(excess(list(100_001)), /more than 100000 values/);
  t.match(excess(`{"data":[${object(15_000)},${list(90_000)}]}`), /more than 100000 values/);
  t.equal(excess(`${'['.repeat(200)}${' '.repeat(2000)}${']'.repeat(200)}`), undefined);
  t.match(excess('{"a":'.repeat(2000)), /more than 200 deep/);
  t.equal(excess(`${'[1],'.repeat(30_000)}`.replace(/^/, '[')), undefined, 'what is beside is not below');
});

t.test('leaves what is no JSON, and one long text, to others', async (t) => {
  t.equal(excess(','.repeat(300_000)), undefined);
  t.equal(excess(`{"a":"${','.repeat(300_000)}"}`), undefined);
  t.equal(excess(`{"a":"${'\\"'.repeat(300_000)}"}`), undefined);
  t.equal(excess(`{"a":"${'['.repeat(300_000)}`), undefined, 'without an end');
  t.equal(excess(''), undefined);
});
