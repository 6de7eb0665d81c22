import t from 'tap';
import { runLeaseSoak } from '../soak/lease-soak.ts';

for (const seed of [1, 2, 3]) {
  t.test(`a simulated day with faults at random breaks nothing that must hold (seed ${seed})`, async (t) => {
    const report = await runLeaseSoak({ seed, days: 1 });
    t.same(report.breaches, []);
    t.ok(report.restarts > 0 && report.mints > 100 && Object.keys(report.faults).length > 4);
  });
}
