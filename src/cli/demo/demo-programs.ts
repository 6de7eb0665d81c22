// The programs that the demo starts: their last words when they fail, and their end.
import { type ChildProcess, spawn } from 'node:child_process';

export interface DemoPrograms {
  /** Gets PATH and `env`, nothing else. */
  start(name: string, command: readonly string[], env: Readonly<Record<string, string>>): void;
  /** Ends one, which may be started again. */
  stop(name: string): Promise<void>;
  /** When one has ended by itself: nothing of what is waited for comes any more. */
  throwIfEnded(): void;
  /** Ends them one after the other, the last first. */
  close(): Promise<void>;
}

const killAfterMs = 3000;

export function createDemoPrograms(): DemoPrograms {
  const children = new Map<string, ChildProcess>();
  let isClosing = false;
  let ended: Error | undefined;
  return {
    start(name, command, env) {
      const [program = '', ...args] = command;
      const child = spawn(program, args, {
        env: { PATH: process.env['PATH'] ?? '', ...env },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      const lastWords: string[] = [];
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        lastWords.push(text);
        if (lastWords.length > 20) lastWords.shift();
      });
      child.on('close', (code, byWhat) => {
        // Ctrl-C reaches the children first: the terminal tells the whole group.
        if (isClosing || byWhat === 'SIGINT' || children.get(name) !== child) return;
        const words = lastWords.join('').trim().split('\n').slice(-5).join('\n');
        ended ??= new Error(`${name} ended with ${byWhat ?? code}${words === '' ? '' : `: ${words}`}`);
      });
      children.set(name, child);
    },
    async stop(name) {
      const child = children.get(name);
      children.delete(name);
      if (child !== undefined) await end(child);
    },
    throwIfEnded() {
      if (ended !== undefined) throw ended;
    },
    async close() {
      isClosing = true;
      for (const child of [...children.values()].reverse()) await end(child);
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  await ended;
  clearTimeout(killer);
}
