import t from 'tap';
import { maskedLines } from '../../../src/upstream/exec/masked-lines.ts';

function shown(stdout: string, stderr: string): string[] {
  return maskedLines({ stdout: Buffer.from(stdout), stderr: Buffer.from(stderr), code: 0 });
}

t.test('what the answer holds is in no line, however it is spelled', async (t) => {
  const value = 'tr0ub4dor&3=';
  const answer = JSON.stringify({
    data: { password: value, key: 'first-line\nab12\nlast-line', port: 5432 },
  });
  const base64 = Buffer.from(`x:${value}`).toString('base64');
  t.strictSame(
    shown(
      answer,
      [
        `got ${value}`,
        '',
        `header ${encodeURIComponent(value)} ${base64}`,
        `bytes [${[...Buffer.from(value)].join(' ')}]`,
        'key first-line and ab12',
        'port 5432, 54',
      ].join('\n'),
    ).map((line) => line.replace(/\S*\[redacted\]\S*/g, '*')),
    ['got *', 'header * *', 'bytes *', 'key * and *', 'port * 54'],
  );
  t.strictSame(shown('plain-secret other', 'says plain-secret'), ['says [redacted]'], 'without JSON too');
});

t.test('so many lines, of such a length; and none where too much would have to be looked for', async (t) => {
  t.equal(shown('{}', 'a line\n'.repeat(100)).length, 20);
  t.equal(shown('{}', 'x'.repeat(1000))[0]?.length, 500);
  const words = Array.from({ length: 5000 }, (_, index) => `word${index}`).join(' ');
  t.match(shown(words, 'word17\nword18'), [/^2 lines are not shown: the answer has too many words/]);
  t.strictSame(shown(words, '\n'), []);
});
