// Cuts what programs print into lines, with secrets masked across the borders of chunks.
import type { OutputMask } from '../../base/mask/output-mask.ts';

export interface LineReader {
  push(chunk: Buffer): void;
  /** The output is over: what stands after the last newline is a line too. */
  end(): void;
}

const newline = 10;
const longestLine = 16 * 1024;

/**
 * Cuts bytes into lines, masked, without the newline; a line of more than 16 KiB is cut into several. The mask is asked for
 * with each piece of output, because secrets come while a program runs.
 */
export function createLineReader(currentMask: () => OutputMask, onLine: (line: string) => void): LineReader {
  let pending: Buffer = Buffer.alloc(0);
  const emit = (line: Buffer) => onLine(line.toString('utf8').replace(/\r$/, ''));
  return {
    push(chunk) {
      const mask = currentMask();
      let from = 0;
      for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
        emit(mask.bytes(Buffer.concat([pending, chunk.subarray(from, at)])));
        pending = Buffer.alloc(0);
        from = at + 1;
      }
      pending = Buffer.concat([pending, chunk.subarray(from)]);
      // What may be the beginning of a secret stays behind the cut until it is whole.
      while (pending.length > longestLine + mask.longest) {
        const masked = mask.bytes(pending);
        const cut = Math.min(longestLine, Math.max(0, masked.length - mask.longest));
        if (cut === 0) {
          pending = masked;
          break;
        }
        emit(masked.subarray(0, cut));
        pending = masked.subarray(cut);
      }
    },
    end() {
      if (pending.length > 0) emit(currentMask().lastBytes(pending));
      pending = Buffer.alloc(0);
    },
  };
}
