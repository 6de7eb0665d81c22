// TERM and INT end a command in order; a second one ends it at once.
import { constants } from 'node:os';

export interface StopSignal {
  /** Fires with the signal's name as its reason. */
  readonly signal: AbortSignal;
  /** Ends it as a signal does. */
  end(): void;
  /** 128 and the signal's number, as shells count. */
  exitCode(): number;
  /** Gives the signals back. */
  dispose(): void;
}

interface StopOptions {
  /** For a command that prints on and on: nobody reads this any more. */
  output?: NodeJS.WriteStream;
  /**
   * For a command that belongs to its terminal: HUP too, and what comes twice at once counts once. `npm run` and timeout(1) pass on
   * what the terminal tells the whole group anyway.
   */
  withTerminal?: boolean;
}

const onePressMs = 200;

export function stopSignal({ output, withTerminal = false }: StopOptions = {}): StopSignal {
  const controller = new AbortController();
  let firstAt = 0;
  const stop = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) {
      if (withTerminal && performance.now() - firstAt < onePressMs) return;
      process.exit(128 + constants.signals[name]);
    }
    firstAt = performance.now();
    controller.abort(name);
  };
  const names: NodeJS.Signals[] = withTerminal ? ['SIGTERM', 'SIGINT', 'SIGHUP'] : ['SIGTERM', 'SIGINT'];
  for (const name of names) process.on(name, stop);
  output?.once('error', () => controller.abort('SIGPIPE'));
  return {
    signal: controller.signal,
    end: () => controller.abort('SIGINT'),
    exitCode: () => 128 + constants.signals[controller.signal.reason as NodeJS.Signals],
    dispose() {
      for (const name of names) process.off(name, stop);
    },
  };
}
