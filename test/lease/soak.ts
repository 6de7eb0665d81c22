import t from 'tap';
import { runLeaseSoak } from '../soak/lease-soak.ts';

t.setTimeout(600_000);

for (const seed of [1, 2]) {
  t.test(
    `half a simulated day with faults at random breaks nothing that must hold (seed ${seed})`,
    async (t) => {
      const report = await runLeaseSoak({ seed, days: 0.5 });
      t.same(report.breaches, []);
      t.ok(report.restarts > 0 && report.mints > 50 && Object.keys(report.faults).length > 3);
    },
  );
}
