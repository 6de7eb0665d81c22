// Kills the rotator of a set at random moments and looks at what a restart makes of it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createSetPipeline, setContent, setFiles } from './set-rotator.ts';

export interface KillReport {
  readonly kills: number;
  /** How often the files were a mixture before the restart mended it. */
  readonly mixed: number;
  /** How often something staged was left. */
  readonly littered: number;
  /** What was wrong after a restart. */
  readonly faults: readonly string[];
}

const program = join(import.meta.dirname, 'set-rotator.ts');

/** Rotates and kills `count` times; `random` gives numbers in [0, 1). */
export async function killRepeatedly(
  folder: string,
  count: number,
  random: () => number,
): Promise<KillReport> {
  const faults: string[] = [];
  let [mixed, littered] = [0, 0];
  let from = 1;
  mkdirSync(join(folder, 'state'), { recursive: true });
  let next = startRotator(folder);
  for (let kill = 0; kill < count; kill += 1) {
    const rotator = next;
    rotator.stdin.write(`${from}\n`);
    await once(rotator.stdout, 'data');
    // The next one loads while this one works.
    next = startRotator(folder);
    await killAtRandom(rotator, folder, kill % 2 === 1, random);
    if (generations(folder).size > 1) mixed += 1;
    if (litter(folder).length > 0) littered += 1;
    const { pipeline } = createSetPipeline(folder, () => true);
    pipeline.start();
    await pipeline.idle();
    await pipeline.close({ signal: AbortSignal.timeout(60_000) });
    const found = generations(folder);
    if (found.size !== 1) faults.push(`kill ${kill}: generations ${[...found].join(' and ')}`);
    const left = litter(folder);
    if (left.length > 0) faults.push(`kill ${kill}: left ${left.join(', ')}`);
    from = Math.max(0, ...[...found].map(Number).filter(Number.isFinite)) + 1;
  }
  next.kill('SIGKILL');
  return { kills: count, mixed, littered, faults };
}

function startRotator(folder: string) {
  return spawn(process.execPath, [program, folder], { stdio: ['pipe', 'pipe', 'inherit'] });
}

/** Every second time close to a commit, which a random moment seldom is. */
async function killAtRandom(
  rotator: ReturnType<typeof startRotator>,
  folder: string,
  isNearCommit: boolean,
  random: () => number,
): Promise<void> {
  const exited = once(rotator, 'exit');
  await delay(random() * 30);
  if (isNearCommit) {
    const watcher = watch(join(folder, 'state'));
    await once(watcher, 'change');
    watcher.close();
    const end = performance.now() + random() * 4;
    while (performance.now() < end);
  }
  rotator.kill('SIGKILL');
  await exited;
}

/** The generation of each file; a file that is torn has one of its own. */
function generations(folder: string): Set<string> {
  return new Set(
    setFiles(folder).map(({ destination }) => {
      const text = readFileSync(destination, 'utf8');
      const generation = /^generation=(\d+)\n/.exec(text)?.[1] ?? 'none';
      return text === setContent(Number(generation)) ? generation : `torn ${generation}`;
    }),
  );
}

function litter(folder: string): string[] {
  return ['a', 'b', 'state'].flatMap((name) =>
    readdirSync(join(folder, name)).filter((file) => file.startsWith('.latchkey-')),
  );
}
