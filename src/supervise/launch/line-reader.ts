// Cuts what programs print into lines, with secrets masked across the borders of lines and of chunks.
import type { MaskedText, OutputMask } from '../../base/mask/output-mask.ts';
import { type Clock, createSystemClock, type Timer } from '../../base/time/clock.ts';

export interface LineReader {
  push(chunk: Buffer): void;
  /** The output is over: what stands after the last newline is a line too. */
  end(): void;
}

const newline = 10;
const longestLine = 16 * 1024;
/** What may be the beginning of a secret waits that long for the rest. */
const heldMs = 100;
/** Of lines that were shown, for what goes on in the next ones. */
const mostNeeded = 128 * 1024;
/** What is held is looked at again when it is that much longer: lines that come one by one cost no more than all at once. */
const growth = 1.5;

/**
 * Cuts bytes into lines, masked, without the newline; a line of more than 16 KiB is cut into several. The mask is asked for
 * with each piece of output, because secrets come while a program runs. A line in which a secret may begin that the next
 * ones go on with comes when those have, or a moment later.
 */
export function createLineReader(
  currentMask: () => OutputMask,
  onLine: (line: string) => void,
  clock: Pick<Clock, 'setTimer'> = createSystemClock(),
): LineReader {
  let text: Buffer = Buffer.alloc(0);
  /** Up to there it has been shown. */
  let shown = 0;
  let timer: Timer | undefined;
  let lookAgainAt = 0;

  function show(masked: MaskedText, to: number, isOver: boolean): void {
    const lines = masked.shown(shown, to, isOver);
    for (let from = 0; from < lines.length; ) {
      const found = lines.indexOf(newline, from);
      const end = found < 0 ? lines.length : found;
      for (let at = from; at === from || at < end; at += longestLine)
        onLine(
          lines
            .subarray(at, Math.min(end, at + longestLine))
            .toString('utf8')
            .replace(/\r$/, ''),
        );
      from = end + 1;
    }
    shown = to;
  }

  /** What is whole is shown; with `isLate` also what waited for more. */
  function look(isLate: boolean): void {
    timer?.cancel();
    timer = undefined;
    lookAgainAt = 0;
    const mask = currentMask();
    const lastLine = text.lastIndexOf(newline) + 1;
    // Of a line without end only what is not near it can be known.
    const isLong = text.length - Math.max(lastLine, shown) > longestLine + mask.longest;
    const end = isLong ? text.length - mask.longest : lastLine;
    if (end <= shown) return;
    const masked = mask.look(isLong ? text : text.subarray(0, end));
    if (isLong) {
      show(masked, Math.max(shown + 1, masked.outside(end)), false);
      forget(shown);
      return;
    }
    const isTooMuch = text.length - shown > mostNeeded;
    const whole = isLate || isTooMuch ? end : startOfLine(text, masked.openFrom);
    show(masked, Math.max(shown, Math.min(end, whole)), shown < whole && masked.openFrom < whole);
    const isHeld = shown < end;
    forget(Math.max(Math.min(startOfLine(text, masked.neededFrom), shown), shown - mostNeeded));
    if (!isHeld) return;
    timer = clock.setTimer(heldMs, () => look(true));
    lookAgainAt = text.length * growth;
  }

  function forget(to: number): void {
    text = Buffer.from(text.subarray(to));
    shown -= to;
  }

  return {
    push(chunk) {
      text = Buffer.concat([text, chunk]);
      if (text.length < lookAgainAt) return;
      look(false);
    },
    end() {
      timer?.cancel();
      if (text.length > shown) show(currentMask().look(text), text.length, true);
      text = Buffer.alloc(0);
      shown = 0;
    },
  };
}

/** Of the line in which a place is; the end of the text is none. */
function startOfLine(text: Buffer, at: number): number {
  if (at >= text.length) return text.length;
  return at === 0 ? 0 : text.lastIndexOf(newline, at - 1) + 1;
}
