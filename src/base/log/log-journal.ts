// Lines of the log as entries of systemd's journal, by its own protocol: each field can be asked for. While the journal
// takes no more, entries wait for it, so many bytes of them; one that hangs holds up the agent once and shortly, and
// what is lost then is told.

import { fstatSync } from 'node:fs';
import { createUnixDatagram, doNotWait } from '../system/unix-datagram.ts';
import { counted } from '../text/counted.ts';
import { printable } from '../text/printable.ts';
import { type LogLine, lostLine, parseLogLine } from './log-line.ts';

export interface JournalOptions {
  /** What `journalctl` shows of a line. */
  readonly messageOf: (line: LogLine, text: string) => string;
  /** Takes what the journal will not have as an entry: all where its socket is not there. */
  readonly otherwise: (message: string) => void;
}

export interface Journal {
  write(line: string): void;
  /** Why lines wait; undefined: they do not. */
  trouble(): string | undefined;
}

const journalSocket = '/run/systemd/journal/socket';
const mostWaiting = 256 * 1024;
/** A long one, which is rare, counts as this: it must neither be lost nor take the room of all others. */
const heaviest = 32 * 1024;
const retryMs = 5;
/** A journal that lives takes hundreds of entries meanwhile. */
const longestHoldUpMs = 100;
/** At the end of the process. */
const lastChanceMs = 500;

/** systemd names the socket that it has made stderr of; another program's stderr may be elsewhere. */
export function isJournalAt(descriptor: number): boolean {
  const stream = process.env['JOURNAL_STREAM'];
  if (!stream) return false;
  const { dev, ino } = fstatSync(descriptor, { bigint: true });
  return stream === `${dev}:${ino}`;
}

interface Waiting {
  readonly entry: Buffer;
  readonly priority: number;
  readonly message: string;
}

export function createJournal(options: JournalOptions): Journal {
  const { messageOf, otherwise } = options;
  const datagram = createUnixDatagram(journalSocket, doNotWait);
  const waiting: Waiting[] = [];
  let waitingBytes = 0;
  let lost = 0;
  /** It took nothing for as long as it may hold up the agent. */
  let hangs = false;
  let timer: NodeJS.Timeout | undefined;

  /** False: later. */
  function send({ entry, priority, message }: Waiting): boolean {
    const tooLong = datagram.send(entry);
    const error = tooLong === 'EMSGSIZE' ? datagram.sendInFile(entry) : tooLong;
    if (error === 'EAGAIN' || error === 'ENOBUFS') return false;
    // sd-daemon(3): the journal takes the number off the line.
    if (error !== undefined) otherwise(`<${priority}>${message}\n`);
    return true;
  }

  function sendWaiting(): void {
    for (let [next] = waiting; next !== undefined && send(next); [next] = waiting) {
      waiting.shift();
      waitingBytes -= weightOf(next);
      hangs = false;
    }
    if (waiting.length > 0 || lost === 0) return;
    const count = lost;
    lost = 0;
    write(lostLine(count));
  }

  /** Holds up everything, until all is sent or `mayStop` or the time is over. */
  function sendNow(forMs: number, mayStop: () => boolean): void {
    const end = performance.now() + forMs;
    const nobody = new Int32Array(new SharedArrayBuffer(4));
    sendWaiting();
    while (waiting.length > 0 && !mayStop() && performance.now() < end) {
      Atomics.wait(nobody, 0, 0, 1);
      sendWaiting();
    }
  }

  function wait(one: Waiting): void {
    const isFull = (): boolean => waitingBytes + weightOf(one) > mostWaiting;
    if (isFull() && !hangs) {
      sendNow(longestHoldUpMs, () => !isFull());
      hangs = isFull();
    }
    if (isFull()) {
      lost += 1;
      return;
    }
    waitingBytes += weightOf(one);
    if (waiting.push(one) === 1) retry();
  }

  function retry(): void {
    if (timer !== undefined) return;
    process.on('exit', sendLast);
    timer = setTimeout(() => {
      timer = undefined;
      process.off('exit', sendLast);
      sendWaiting();
      if (waiting.length > 0) retry();
    }, retryMs).unref();
  }

  function sendLast(): void {
    sendNow(lastChanceMs, () => false);
    for (const { priority, message } of waiting.splice(0)) otherwise(`<${priority}>${message}\n`);
    const told = lostLine(lost);
    if (lost > 0) otherwise(`<4>${messageOf(parseLogLine(told), told)}\n`);
  }

  function write(text: string): void {
    const line = parseLogLine(text);
    const message = messageOf(line, text);
    const priority = priorityOf(line.level);
    const one = { entry: entryOf(line, priority, message), priority, message };
    if (waiting.length > 0 || !send(one)) wait(one);
  }

  return {
    write,
    trouble: () =>
      waiting.length === 0
        ? undefined
        : `the journal takes no lines; ${counted(waiting.length, 'waits', 'wait')}, ${counted(lost, 'is', 'are')} lost`,
  };
}

function weightOf({ entry }: Waiting): number {
  return Math.min(entry.length, heaviest);
}

/** syslog(3). */
function priorityOf(level: number): number {
  if (level >= 50) return 3;
  return level >= 40 ? 4 : level >= 30 ? 6 : 7;
}

/** https://systemd.io/JOURNAL_NATIVE_PROTOCOL: `NAME=value`, a line each. */
function entryOf(line: LogLine, priority: number, message: string): Buffer {
  const fields = [
    `MESSAGE=${message}`,
    `PRIORITY=${priority}`,
    'SYSLOG_IDENTIFIER=latchkey',
    `SYSLOG_PID=${process.pid}`,
    ...fieldsOf('LATCHKEY', { time: line.time, event: line.event, ...line.fields }),
  ];
  return Buffer.from(`${fields.join('\n')}\n`);
}

/** What a field holds has names of its own; a list is the same name several times, as the journal knows it. */
function fieldsOf(name: string, value: unknown): string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((one) => fieldsOf(name, one));
  if (typeof value === 'object')
    return Object.entries(value).flatMap(([key, one]) =>
      fieldsOf(`${name}_${key.replaceAll(/[^A-Za-z0-9]/g, '_').toUpperCase()}`, one),
    );
  return [`${name.slice(0, longestName)}=${printable(String(value))}`];
}

const longestName = 64;
