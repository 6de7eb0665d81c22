import t from 'tap';
import { formatDuration, parseDuration } from '../../../src/base/time/duration.ts';

t.test('reads durations as operators write them', (t) => {
  const cases: [string, number][] = [
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['7d', 604_800_000],
    ['0', 0],
  ];
  for (const [text, ms] of cases) t.equal(parseDuration(text), ms, text);
  t.end();
});

t.test('refuses what is no duration and shows the forms that are', (t) => {
  for (const text of ['', '5', 's', '-5s', '5 s', '1h-2m', '5S', '1e3s']) {
    t.throws(
      () => parseDuration(text),
      { code: 'usage', message: /expected a duration such as 250ms, 30s/ },
      text,
    );
  }
  t.end();
});

t.test('writes the shortest form that reads back to the same', (t) => {
  for (const text of ['250ms', '30s', '1h30m', '1m500ms']) t.equal(formatDuration(parseDuration(text)), text);
  t.equal(formatDuration(0), '0s');
  t.equal(formatDuration(-5), '0s');
  t.end();
});
