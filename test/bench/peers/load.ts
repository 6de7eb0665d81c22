// The load of serve-load.ts, in a process of its own, as a function.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LoadJob, LoadResult } from '../serve-load.ts';

export interface Load {
  run(job: LoadJob): Promise<LoadResult>;
  end(): void;
}

export function startLoad(): Load {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../serve-load.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async run(job) {
      child.stdin.write(`${JSON.stringify(job)}\n`);
      return JSON.parse(String((await lines.next()).value)) as LoadResult;
    },
    end: () => child.stdin.end(),
  };
}
