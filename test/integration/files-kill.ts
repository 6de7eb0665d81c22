// kill -9 of the agent in transactions over a set of five files; test/soak/kill-set.ts is the long form.
import t from 'tap';
import { killRepeatedly } from '../support/kill-loop.ts';
import { createSeededRandom } from '../support/seeded-random.ts';
import { testFolder } from '../support/test-folder.ts';

const kills = 100;

t.setTimeout(600_000);
t.test('a set is wholly old or wholly new after every kill, and nothing staged remains', async (t) => {
  const seed = Date.now();
  t.comment(`seed ${seed}`);
  const report = await killRepeatedly(testFolder(t), kills, createSeededRandom(seed));
  t.strictSame(report.faults, []);
  t.comment(
    `${report.kills} kills: ${report.littered} left something behind, ${report.mixed} a mixture, before the restart`,
  );
  t.ok(report.littered > 0, 'some kills met a transaction');
});
