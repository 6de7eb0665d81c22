import { randomBytes } from 'node:crypto';
import t from 'tap';
import { createPatternSet } from '../../../src/base/mask/pattern-set.ts';

function found(patterns: readonly string[], text: string): string[] {
  const places: string[] = [];
  createPatternSet(patterns.map((one) => Buffer.from(one))).find(Buffer.from(text), (at, pattern) => {
    places.push(`${at} ${pattern.toString()}`);
  });
  return places.sort();
}

t.test('finds every place of every pattern, at both ends too', async (t) => {
  t.strictSame(found(['abcd', 'bcde', 'abcdefgh'], 'abcdefgh abcd'), [
    '0 abcd',
    '0 abcdefgh',
    '1 bcde',
    '9 abcd',
  ]);
  t.strictSame(found(['aaaa'], 'aaaaaa'), ['0 aaaa', '1 aaaa', '2 aaaa']);
  t.strictSame(found(['abcd', 'abcd'], 'abcd'), ['0 abcd'], 'the same twice is one');
  t.strictSame(found(['abc', ''], 'abc'), [], 'what is too short is not taken');
  t.strictSame(found(['abcdef'], 'abcde'), []);
  t.ok(createPatternSet([]).isEmpty);
});

t.test('is right about many that begin or end alike, by another way of looking', async (t) => {
  const same = 'the same beginning of all ';
  const patterns = Array.from({ length: 400 }, (_, index) =>
    index % 2 === 0 ? `${same}${index}` : `${index} and the same end of all`,
  );
  const text = Array.from({ length: 600 }, (_, index) => patterns[(index * 7) % 500] ?? `${same}x`).join('|');
  const wanted = patterns.flatMap((pattern) => {
    const places: string[] = [];
    for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + 1))
      places.push(`${at} ${pattern}`);
    return places;
  });
  t.strictSame(found(patterns, text), wanted.sort());
});

t.test('costs the same for ten thousand patterns as for ten, whatever the text', async (t) => {
  const text = Buffer.concat([randomBytes(32_768), Buffer.alloc(32_768, 'sk_live_')]);
  const costOf = (count: number) => {
    const set = createPatternSet(
      Array.from({ length: count }, () => Buffer.from(`sk_live_${randomBytes(12).toString('hex')}`)),
    );
    const costs = Array.from({ length: 9 }, () => {
      const before = process.threadCpuUsage();
      set.find(text, () => {});
      return process.threadCpuUsage(before).user;
    });
    return Math.min(...costs) / 1000;
  };
  costOf(10);
  const [few, many] = [costOf(10), costOf(10_000)];
  t.ok(many < few + 30, `${few.toFixed(1)} ms and ${many.toFixed(1)} ms`);
});
