// A small runner of commands for tests of what runs them; the agent's own is in src/supervise.

import { spawn } from 'node:child_process';
import type { RunCommand } from '../../src/base/run-command.ts';

/** Ends the process group with KILL on timeout and abort. */
export const runCommand: RunCommand = ({ command, timeoutMs, placeholders = {}, signal, masks = [] }) => {
  const words = command.map((word) =>
    Object.entries(placeholders).reduce((text, [name, value]) => text.replaceAll(`{${name}}`, value), word),
  );
  return new Promise((resolve, reject) => {
    const [program = '', ...args] = words;
    const child = spawn(program, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    let timedOut = false;
    const kill = (): void => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    };
    const timer = setTimeout(() => {
      timedOut = true;
      kill();
    }, timeoutMs);
    signal?.addEventListener('abort', kill, { once: true });
    const note = (chunk: Buffer): void => {
      text += chunk.toString('utf8');
    };
    child.stdout.on('data', note);
    child.stderr.on('data', note);
    child.on('error', reject);
    child.on('exit', (code, ended) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', kill);
      setImmediate(() => {
        const lines = text.split('\n').filter((line) => line.trim() !== '');
        const lastLine = masks.reduce(
          (line, mask) => line.replaceAll(mask.text(), '***'),
          lines.at(-1) ?? '',
        );
        child.stdout.destroy();
        child.stderr.destroy();
        resolve({ code, signal: ended, lastLine, timedOut });
      });
    });
  });
};
