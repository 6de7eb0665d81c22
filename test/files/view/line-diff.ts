import fc from 'fast-check';
import t from 'tap';
import { lineDiff } from '../../../src/files/view/line-diff.ts';

const plain = (line: string): string => line;

t.test('shows a changed line with three lines around it', (t) => {
  const before = 'a\nb\nc\nd\ne\nf\ng\nh\n';
  const after = before.replace('e', 'E');
  t.equal(lineDiff(before, after, plain), '@@ -2,7 +2,7 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n');
  t.equal(lineDiff(before, before, plain), '');
  t.equal(lineDiff('', 'x\n', plain), '@@ -1,0 +1,1 @@\n+x\n');
  t.end();
});

t.test('shows two changes far apart as two hunks', (t) => {
  const lines = Array.from({ length: 20 }, (_, at) => `line ${at}`);
  const after = lines.with(2, 'two').with(17, 'seventeen');
  const hunks = lineDiff(`${lines.join('\n')}\n`, `${after.join('\n')}\n`, plain).match(/^@@.*@@$/gm);
  t.strictSame(hunks, ['@@ -1,6 +1,6 @@', '@@ -15,6 +15,6 @@']);
  t.end();
});

t.test('what it shows, taken from the one text, gives the other', (t) => {
  const line = fc.constantFrom('a', 'b', 'c', '');
  const texts = fc.array(line, { maxLength: 12 });
  fc.assert(
    fc.property(texts, texts, (before, after) => {
      const old = before.map((one) => `${one}\n`).join('');
      const fresh = after.map((one) => `${one}\n`).join('');
      return apply(before, lineDiff(old, fresh, plain)).join('\n') === after.join('\n');
    }),
  );
  t.pass();
  t.end();
});

t.test('two long texts with nothing in common cost no more than their length', (t) => {
  const make = (word: string): string => Array.from({ length: 5000 }, (_, at) => `${word} ${at}\n`).join('');
  const lines = lineDiff(make('a'), make('b'), plain).split('\n');
  t.equal(lines.length, 10_002);
  t.end();
});

function apply(before: readonly string[], diff: string): string[] {
  const result: string[] = [];
  let position = 0;
  for (const line of diff.split('\n').slice(0, -1)) {
    const start = /^@@ -(\d+),/.exec(line)?.[1];
    if (start !== undefined) {
      result.push(...before.slice(position, Number(start) - 1));
      position = Number(start) - 1;
    } else if (line.startsWith('+')) result.push(line.slice(1));
    else {
      if (line.startsWith(' ')) result.push(line.slice(1));
      position += 1;
    }
  }
  return [...result, ...before.slice(position)];
}
