// What a program prints that a test runs to its end.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Its output; rejects with what it said where it ends with another code than 0. Nothing to read, and no variable but PATH. */
export async function outputOf(
  command: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
    killSignal: 'SIGKILL',
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${program}: ${code} ${stdout}${stderr}`);
  return stdout;
}
