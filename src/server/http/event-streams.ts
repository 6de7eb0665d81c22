// Open streams of server-sent events: a sign of life now and then, an end for who reads nothing or may not listen any more.

import type { ServerResponse } from 'node:http';
import type { Ask } from '../../access/access-policy.ts';
import { createEarliestTimer } from '../../base/time/earliest-timer.ts';
import type { ListenerScope } from '../listen/connection.ts';
import type { Exchange } from './exchange.ts';
import type { ServerContext } from './server-context.ts';

export interface EventStream {
  readonly exchange: Exchange;
  send(text: string): void;
}

export interface EventStreams {
  readonly all: ReadonlySet<EventStream>;
  /** Answers with a stream, to who may have it. */
  open(exchange: Exchange): void;
  /** Ends those of one listener. */
  drain(scope: ListenerScope): void;
  close(): void;
}

interface OpenStream extends EventStream {
  readonly response: ServerResponse;
}

interface StreamOptions {
  /** What the caller must be allowed, now and as long as the stream is open. */
  readonly right: Ask;
  /** Told when there is another number of streams. */
  onCount?(count: number): void;
}

/** A comment now and then tells both sides that the other is still there. */
const heartbeatMs = 15_000;
/** A client that reads nothing is cut when this much waits for it. */
const maxUnreadBytes = 64 * 1024;

export function createEventStreams(context: ServerContext, { right, onCount }: StreamOptions): EventStreams {
  const { access, clock, metrics } = context;
  const all = new Set<OpenStream>();
  const openStreams = metrics.openEventStreams.with();
  const heartbeat = createEarliestTimer(clock, beat);

  function beat(): void {
    for (const stream of all) stream.send(': alive\n\n');
    if (all.size > 0) heartbeat.within(heartbeatMs);
  }

  function mayListen({ exchange }: EventStream): boolean {
    return access.decide(exchange.caller, right).isAllowed;
  }

  function begin(exchange: Exchange, response: ServerResponse): void {
    const stream: OpenStream = {
      exchange,
      response,
      send(text) {
        if (response.writableEnded) return;
        if (!mayListen(stream)) return void response.end();
        if (response.writableLength > maxUnreadBytes) return void response.destroy();
        response.write(text);
        if (!exchange.notesUnread()) response.destroy();
      },
    };
    all.add(stream);
    openStreams.inc();
    response.on('drain', () => void exchange.notesUnread());
    exchange.whenOver(() => {
      all.delete(stream);
      openStreams.inc(-1);
      onCount?.(all.size);
    });
    // While the line was being recorded the rules may have changed.
    if (!mayListen(stream)) return void response.end();
    response.write('retry: 1000\n\n');
    heartbeat.within(heartbeatMs);
    onCount?.(all.size);
  }

  const stopAccess = access.onChange(() => {
    for (const stream of all) if (!mayListen(stream)) stream.response.end();
  });

  return {
    all,
    open(exchange) {
      if (!exchange.permits(right)) {
        exchange.deny();
        return;
      }
      exchange.beginWait();
      const headers = ['Content-Type', 'text/event-stream', 'Cache-Control', 'no-store'];
      exchange.answer(200, headers, (response) => begin(exchange, response));
    },
    drain(scope) {
      for (const { exchange, response } of all) if (exchange.connection.scope === scope) response.end();
    },
    close() {
      heartbeat.cancel();
      stopAccess();
    },
  };
}
