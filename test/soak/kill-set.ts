// A thousand kills of the agent in transactions over a set of five files: `node test/soak/kill-set.ts [COUNT [SEED]]`.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killRepeatedly } from '../support/kill-loop.ts';
import { createSeededRandom } from '../support/seeded-random.ts';

const count = Number(process.argv[2] ?? 1000);
const seed = Number(process.argv[3] ?? Date.now());
const folder = mkdtempSync(join(tmpdir(), 'latchkey-kill-'));
const report = await killRepeatedly(folder, count, createSeededRandom(seed));
console.log(JSON.stringify({ seed, ...report }, null, 2));
if (report.faults.length === 0) rmSync(folder, { recursive: true });
process.exitCode = report.faults.length === 0 ? 0 : 1;
