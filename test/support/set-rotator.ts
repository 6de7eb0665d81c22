// A program to be killed: rotates a set of five files in two folders as fast as it can; every third rotation is rolled
// back. Begins with the number that it is told
// to count from, and says "ready" then. Argument: the folder.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '../../src/base/logger.ts';
import { createSystemClock } from '../../src/base/time/clock.ts';
import type { FileConfig } from '../../src/config/resolved.ts';
import { createConsumerIndex } from '../../src/content/consumer-index.ts';
import { createDependencyResolver, resolveSecret } from '../../src/content/resolve-dependency.ts';
import type { ExecutableTemplate } from '../../src/content/template-consumer.ts';
import { createFilePipeline } from '../../src/files/file-pipeline.ts';
import { createStore } from '../../src/store/store.ts';
import { answer, fileConfig, secretConfig } from './render-fixture.ts';

const padding = 'x'.repeat(20_000);

/** What each file of the set holds in one generation. */
export function setContent(generation: number): string {
  return `generation=${generation}\n${padding}\n`;
}

export function setFiles(folder: string): FileConfig[] {
  return ['a/one', 'a/two', 'b/three', 'b/four', 'a/five'].map((name) =>
    fileConfig(
      {
        destination: join(folder, name),
        set: 'five',
        mode: 0o640,
        onFailure: 'rollback',
        notify: [{ kind: 'command', command: ['take'], timeoutMs: 1000 }],
      },
      '',
    ),
  );
}

/** Parsing is not what is tried here: one template for all. */
const template: ExecutableTemplate = {
  execute(lookup) {
    const dependency = { kind: 'name', path: 'set', parameters: {} } as const;
    const found = lookup(dependency);
    if (found.status !== 'ready') return { output: Buffer.alloc(0), missing: [dependency], writes: [] };
    const output = Buffer.from(setContent(Number(found.secret.fields['generation'])));
    return { output, missing: [], writes: [] };
  },
};

export function createSetPipeline(folder: string, take: (generation: number) => boolean) {
  const clock = createSystemClock();
  const store = createStore({ clock });
  const secrets = [secretConfig('set')];
  const key = resolveSecret(secretConfig('set')).key;
  let generation = 0;
  const pipeline = createFilePipeline({
    files: setFiles(folder),
    store,
    index: createConsumerIndex({ store }),
    resolve: createDependencyResolver({ secrets, defaultUpstream: 'vault' }),
    compile: () => Promise.resolve(template),
    clock,
    random: Math.random,
    logger: silentLogger,
    runCommand: () =>
      Promise.resolve({ code: take(generation) ? 0 : 1, signal: null, lastLine: '', timedOut: false }),
    signalProcess: () => Promise.resolve(),
    stateFolder: join(folder, 'state'),
  });
  return {
    pipeline,
    publish(next: number) {
      generation = next;
      store.publish(key, answer({ generation: String(next) }), undefined);
    },
  };
}

async function rotate(folder: string, from: number): Promise<never> {
  for (const name of ['a', 'b']) mkdirSync(join(folder, name), { recursive: true });
  const { pipeline, publish } = createSetPipeline(folder, (generation) => generation % 3 !== 0);
  pipeline.start();
  await pipeline.idle();
  for (let generation = from; ; generation += 1) {
    publish(generation);
    await pipeline.idle();
    if (generation === from) process.stdout.write('ready\n');
  }
}

const [, , folder] = process.argv;
if (import.meta.main && folder !== undefined) {
  process.stdin.once('data', (text) => void rotate(folder, Number(text.toString())));
}
