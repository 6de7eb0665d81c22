// `latchkey demo`: one vault, one agent, four legacy services, one rotation; nothing but this program is needed.
import { LatchkeyError } from '../../base/errors.ts';
import { createDemo } from '../demo/demo.ts';
import { printText } from '../output.ts';
import { stopSignal } from '../stop-signal.ts';

export async function runDemo(options: { once: boolean }): Promise<number> {
  const stop = stopSignal({ output: process.stdout, withTerminal: true });
  const staysForKeys = !options.once && process.stdin.isTTY === true;
  const demo = createDemo({ say: (line) => printText(`${line}\n`), signal: stop.signal });
  try {
    await demo.start();
    let isFine = await demo.rotate();
    if (staysForKeys) isFine = (await rotateOnKeys(demo.rotate, stop.signal)) && isFine;
    if (stop.signal.aborted) return stop.exitCode();
    return isFine ? 0 : 1;
  } catch (error) {
    if (stop.signal.aborted) return stop.exitCode();
    throw new LatchkeyError('internal', `demo: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  } finally {
    await demo.close();
    stop.dispose();
  }
}

/** Any key rotates again; q, Ctrl-C and Ctrl-D end it. */
async function rotateOnKeys(rotate: () => Promise<boolean>, signal: AbortSignal): Promise<boolean> {
  let isFine = true;
  for (;;) {
    printText('\npress r to rotate again, q to end\n');
    const key = await nextKey(signal);
    if (key === undefined || 'q\u0003\u0004'.includes(key)) return isFine;
    isFine = (await rotate()) && isFine;
  }
}

/** The terminal is raw only as long as a key is waited for: Ctrl-C during a rotation is a signal as ever. */
async function nextKey(signal: AbortSignal): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  process.stdin.setRawMode(true);
  process.stdin.resume();
  process.stdin.once('data', (data) => resolve(data.toString('utf8').slice(0, 1)));
  signal.addEventListener('abort', () => resolve(undefined), { once: true });
  try {
    return await promise;
  } finally {
    process.stdin.setRawMode(false);
    process.stdin.pause();
  }
}
