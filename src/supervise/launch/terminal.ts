// A terminal of its own for a program of another user: on ours it could type into our shell (TIOCSTI) or read what is typed
// after it has gone into the background. What it writes comes to our terminal, what is typed here goes to it.
import { closeSync, constants, fchownSync, fstatSync, openSync } from 'node:fs';
import { isatty, ReadStream } from 'node:tty';
import { LatchkeyError } from '../../base/errors.ts';
import { ioctlBuffer, ioctlNumber } from '../../base/system/libc.ts';
import { findSystemProgram } from '../../base/system/system-program.ts';

/** asm-generic/ioctls.h; TIOCGPTPEER opens the other end without a path, since Linux 4.13. */
const tiocsptlck = 0x40045431;
const tiocgptpeer = 0x5441;
const tiocswinsz = 0x5414;
const closeOnExec = 0o2000000;
/** For what is still on its way when the program has ended; a grandchild may hold the terminal for ever. */
const drainMs = 250;

export interface Terminal {
  /** The program's end. */
  readonly descriptor: number;
  /** What to start instead of `words`: the same, in a session that has the terminal. */
  lead(words: readonly string[]): string[];
  /** After the start: passes on what is written, typed, and the size. `exited` ends it. */
  attach(exited: Promise<unknown>): void;
  /** Of a start that failed. */
  abandon(): void;
}

/** Which of the three standard streams are a terminal of ours. */
export function terminalsAmong(inherited: readonly [boolean, boolean, boolean]): boolean[] {
  return inherited.map((isInherited, descriptor) => isInherited && isatty(descriptor));
}

/** Throws `process_failed` where the system has no way to it: on our own terminal the program must not be. */
export function openTerminal(uid: number, isTty: readonly boolean[]): Terminal {
  const setsid = findSystemProgram('setsid');
  const { master, descriptor } = openPair(uid, setsid !== undefined);
  const stream = new ReadStream(master);
  const hasInput = isTty[0] === true;
  let isClosed = false;

  function lead(words: readonly string[]): string[] {
    return [setsid ?? '', ...(hasInput ? ['--ctty'] : []), ...words];
  }
  function resize(): void {
    const { rows, columns } = process.stdout.isTTY ? process.stdout : process.stderr;
    const size = Buffer.alloc(8);
    size.writeUInt16LE(rows ?? 24, 0);
    size.writeUInt16LE(columns ?? 80, 2);
    ioctlBuffer(master, tiocswinsz, size);
  }
  const type = (chunk: Buffer): void => void stream.write(chunk);
  function close(): void {
    if (isClosed) return;
    isClosed = true;
    process.off('SIGWINCH', resize);
    if (hasInput) {
      process.stdin.off('data', type);
      process.stdin.setRawMode(false);
      process.stdin.pause();
    }
    stream.destroy();
  }
  resize();
  return {
    descriptor,
    lead,
    attach(exited) {
      closeSync(descriptor);
      const sink = isTty[1] === true || isTty[2] !== true ? process.stdout : process.stderr;
      stream.on('data', (chunk: Buffer) => {
        if (!sink.write(chunk)) {
          stream.pause();
          sink.once('drain', () => stream.resume());
        }
      });
      stream.on('error', close); // EIO: nobody has the other end open any more
      stream.on('end', close);
      process.on('SIGWINCH', resize);
      if (hasInput) {
        process.stdin.setRawMode(true);
        process.stdin.on('data', type);
      }
      void exited.then(() => setTimeout(close, drainMs));
    },
    abandon() {
      closeSync(descriptor);
      close();
    },
  };
}

function openPair(uid: number, hasSetsid: boolean): { master: number; descriptor: number } {
  const flags = constants.O_RDWR | constants.O_NOCTTY;
  let master: number | undefined;
  try {
    if (!hasSetsid) throw new Error('no setsid');
    master = openSync('/dev/ptmx', flags);
    ioctlBuffer(master, tiocsptlck, Buffer.alloc(4));
    const descriptor = ioctlNumber(master, tiocgptpeer, flags | closeOnExec);
    if (descriptor < 0) throw new Error('no peer');
    // As sshd and login do: programs open their terminal by its name, too.
    fchownSync(descriptor, uid, fstatSync(descriptor).gid);
    return { master, descriptor };
  } catch (cause) {
    if (master !== undefined) closeSync(master);
    throw new LatchkeyError('process_failed', 'no terminal can be made for a program of another user', {
      cause,
      remedy: 'let it read and write pipes or files, or install util-linux (setsid) and mount /dev/pts',
    });
  }
}
