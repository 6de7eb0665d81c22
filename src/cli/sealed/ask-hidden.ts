// Reads a value from standard input: typed at a terminal without an echo, or all that a pipe gives.

import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { LatchkeyError } from '../../base/errors.ts';
import { printable } from '../../base/text/printable.ts';

/** Of a pipe one line end at its end is left out: `echo` and editors put it there. */
export async function readValue(prompt: string): Promise<string> {
  if (process.stdin.isTTY) return await askHidden(prompt);
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

/** Throws `usage` where there is no terminal. */
export async function askHidden(prompt: string): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new LatchkeyError('usage', 'a passphrase is asked for at a terminal, and standard input is none', {
      remedy: 'name a file with --passphrase-file',
    });
  }
  process.stderr.write(`${printable(prompt)}: `);
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  lines.once('line', resolve);
  lines.once('SIGINT', () => reject(new LatchkeyError('aborted', 'given up')));
  lines.once('close', () => reject(new LatchkeyError('aborted', 'given up')));
  try {
    return await promise;
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}

/** A yes or no at the terminal; without one no. */
export async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const { promise, resolve } = Promise.withResolvers<string>();
  lines.question(`${question} [Y/n] `, resolve);
  lines.once('close', () => resolve('n'));
  const answer = await promise;
  lines.close();
  return /^(?:y|yes|)$/i.test(answer.trim());
}
