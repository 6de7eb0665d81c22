// `latchkey status`: what the agent holds, waits for and plans, for people or as JSON.
import { setTimeout as delay } from 'node:timers/promises';
import { describeError, errorCode } from '../../base/errors.ts';
import { printableJson } from '../../base/text/printable.ts';
import { createTypedClient } from '../../client/typed-client.ts';
import { type SocketOptions, socketPathOf } from '../config-socket.ts';
import { reportFailure } from '../exit-code.ts';
import { colouredText, terminalWidth } from '../output.ts';
import { stopSignal } from '../stop-signal.ts';
import { formatStatus } from '../text/status-text.ts';
import { unmarked } from '../text/tone.ts';

interface StatusOptions extends SocketOptions {
  json: boolean;
  watch: boolean;
  problems: boolean;
}

const watchEveryMs = 1000;
/** To the upper corner; to the end of a line and of the screen; the cursor. */
const [home, clearLine, clearRest] = ['\u001b[H', '\u001b[K', '\u001b[J'];
const [hideCursor, showCursor] = ['\u001b[?25l', '\u001b[?25h'];

/** 0: ready; 1: something is missing; 3: not allowed; 5: no agent answers. */
export async function runStatus(options: StatusOptions): Promise<number> {
  const client = createTypedClient(await socketPathOf(options));
  const read = async (): Promise<{ isReady: boolean; text: string }> => {
    const status = await client.status();
    const text = options.json
      ? `${printableJson(JSON.stringify(status))}\n`
      : colouredText(
          formatStatus(status, { now: Date.now(), width: terminalWidth(), isOfProblems: options.problems }),
        );
    return { isReady: status.ready, text };
  };
  if (options.watch) return watch(read, process.stdout.isTTY && !options.json);
  const { isReady, text } = await read();
  process.stdout.write(text);
  return isReady ? 0 : 1;
}

async function watch(read: () => Promise<{ text: string }>, isScreen: boolean): Promise<number> {
  const stop = stopSignal({ output: process.stdout });
  const endKeys = isScreen ? endOnQ(stop.end) : () => undefined;
  let told: string | undefined;
  if (isScreen) process.stdout.write(`${hideCursor}${home}${clearRest}`);
  try {
    while (!stop.signal.aborted) {
      try {
        const { text } = await read();
        if (isScreen) drawOver(text);
        else process.stdout.write(text);
        told = undefined;
      } catch (error) {
        // An agent that is away now may be one that starts again: that is what one watches for.
        if (errorCode(error) === 'denied') throw error;
        if (isScreen) drawOver(colouredText(`latchkey: ${unmarked(describeError(error))}\n`));
        else if (told !== describeError(error)) reportFailure(error);
        told = describeError(error);
      }
      await delay(watchEveryMs, undefined, { signal: stop.signal }).catch(() => undefined); // ended by Ctrl-C
    }
    return 0;
  } finally {
    if (isScreen) process.stdout.write(showCursor);
    endKeys();
    stop.dispose();
  }
}

/** Each line takes the place of the one before, in one go: nothing is cleared that is there again. */
function drawOver(text: string): void {
  const lines = firstRows(text, process.stdout.rows).trimEnd().split('\n');
  process.stdout.write(`${home}${lines.map((line) => line + clearLine).join('\n')}${clearRest}`);
}

/** The verdict stands at the top: what does not fit is left out at the end. */
function firstRows(text: string, rows: number): string {
  const lines = text.split('\n');
  if (lines.length <= rows) return text;
  return [...lines.slice(0, rows - 2), `… ${lines.length - rows + 1} more lines`].join('\n');
}

/** As top(1) and less(1) do. Returns what gives the terminal back. */
function endOnQ(end: () => void): () => void {
  const { stdin } = process;
  if (!stdin.isTTY) return () => undefined;
  stdin.setRawMode(true);
  stdin.on('data', (keys: Buffer) => {
    if (/[q\u0003\u0004]/.test(keys.toString('latin1'))) end();
  });
  return () => {
    stdin.setRawMode(false);
    stdin.pause();
  };
}
