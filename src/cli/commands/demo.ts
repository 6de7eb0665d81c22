// `latchkey demo`: one vault, one agent, four legacy services, and a key to rotate; nothing but this program is needed.
import { describeError, LatchkeyError } from '../../base/errors.ts';
import { startDemoStage } from '../demo/demo-stage.ts';
import { createDemoStory } from '../demo/demo-story.ts';
import { printText } from '../output.ts';
import { stopSignal } from '../stop-signal.ts';
import { openInBrowser } from '../ui/open-in-browser.ts';

/** With `once` the key is rotated once on the terminal: 1 when a call failed. Else there is a page, until it is stopped. */
export async function runDemo({ once, open }: { once: boolean; open: boolean }): Promise<number> {
  const stop = stopSignal({ output: process.stdout, withTerminal: true });
  const say = (line: string): void => printText(`${line}\n`);
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => stop.dispose());
  try {
    const stage = await startDemoStage({ say, signal: stop.signal });
    cleanup.defer(() => stage.close());
    if (once) {
      const isFine = await createDemoStory({ stage, say, signal: stop.signal }).rotate();
      return isFine ? 0 : 1;
    }
    const { startDemoPage } = await import('../demo/demo-page.ts');
    const page = await startDemoPage(stage, stop.signal);
    cleanup.defer(() => page.close());
    say(
      `\nopen this in a browser; the link works once, and for ten minutes; Ctrl-C ends the demo\n\n  ${page.link}\n\nnext, your own vault: docs/guides/own-vault.md`,
    );
    const removePage = open ? openInBrowser(page.link) : undefined;
    if (removePage !== undefined) cleanup.defer(removePage);
    return await stage.untilEnded();
  } catch (error) {
    // A page has no other end than that.
    if (stop.signal.aborted) return !once && stop.signal.reason === 'SIGINT' ? 0 : stop.exitCode();
    throw new LatchkeyError('internal', `demo: ${describeError(error)}`, { cause: error });
  }
}
