// All benchmarks one after another, each in a process of its own: `npm run bench`. Figures go to docs/BENCHMARKS.md.
import { spawnSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';

const parts = [
  ['agent.ts'],
  ['commands.ts'],
  ['idle-clients.ts'],
  ['serve.ts'],
  ['serve.ts', '--path', '/v1/secret/data/stripe'],
  ['template.ts'],
  ['schedule-simulation.ts'],
] as const;

console.log(
  `node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
);
for (const [part, ...args] of parts) {
  console.log(`\n== ${[part, ...args].join(' ')}`);
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, part), ...args], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exitCode = 1;
}
