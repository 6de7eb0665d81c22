// Server-sent events: `rotated` with name and version, to each stream those of the names that its caller may read.

import type { ServerResponse } from 'node:http';
import type { RotatedEvent } from '../../api/secrets.ts';
import type { Timer } from '../../base/time/clock.ts';
import { shownVersion } from '../../store/secret-version.ts';
import type { DialectHandler } from '../http/dialect.ts';
import type { Exchange } from '../http/exchange.ts';
import { methodNotAllowed } from '../http/http-request.ts';
import type { ServerContext } from '../http/server-context.ts';

/** A comment now and then tells both sides that the other is still there. */
const heartbeatMs = 15_000;
/** A client that reads nothing is cut when this much waits for it. */
const maxUnreadBytes = 64 * 1024;

interface EventStream {
  readonly exchange: Exchange;
  readonly response: ServerResponse;
}

export function createEventsDialect(context: ServerContext): DialectHandler {
  const { view, access, clock, metrics } = context;
  const streams = new Set<EventStream>();
  const openStreams = metrics.openEventStreams.with();
  let heartbeat: Timer | undefined;

  function send(stream: EventStream, text: string): void {
    const { response, exchange } = stream;
    if (response.writableLength > maxUnreadBytes) return void response.destroy();
    response.write(text);
    if (!exchange.notesUnread()) response.destroy();
  }

  function beat(): void {
    heartbeat = undefined;
    for (const stream of streams) send(stream, ': alive\n\n');
    if (streams.size > 0) heartbeat = clock.setTimer(heartbeatMs, beat);
  }

  function mayListen({ exchange }: EventStream): boolean {
    return access.decide(exchange.identity.caller, { kind: 'list' }).isAllowed;
  }

  function open(exchange: Exchange, response: ServerResponse): void {
    const stream = { exchange, response };
    streams.add(stream);
    openStreams.inc();
    response.on('drain', () => void exchange.notesUnread());
    exchange.whenOver(() => {
      streams.delete(stream);
      openStreams.inc(-1);
    });
    // While the line was being recorded the rules may have changed.
    if (!mayListen(stream)) return void response.end();
    response.write('retry: 1000\n\n');
    heartbeat ??= clock.setTimer(heartbeatMs, beat);
  }

  const stopStore = view.store.listen({
    changed(entry, version) {
      if (streams.size === 0) return;
      for (const name of view.names.namesOf(entry.key)) {
        const text = `event: rotated\ndata: ${JSON.stringify({ name, version: shownVersion(version) } satisfies RotatedEvent)}\n\n`;
        for (const stream of streams) {
          if (access.decideSecret(stream.exchange.identity.caller, name).isAllowed) send(stream, text);
        }
      }
    },
  });
  const stopAccess = access.onChange(() => {
    for (const stream of streams) if (!mayListen(stream)) stream.response.end();
  });

  return {
    name: 'secrets',
    roots: ['events'],
    isServedBy: (listener) => listener.serve.includes('secrets'),
    handle(exchange) {
      if (exchange.method !== 'GET') {
        methodNotAllowed(exchange, 'GET');
        return;
      }
      if (exchange.path !== '/events') {
        exchange.fail('not_found', 'no such path');
        return;
      }
      if (!exchange.permits({ kind: 'list' })) {
        exchange.deny();
        return;
      }
      exchange.beginWait();
      const headers = ['Content-Type', 'text/event-stream', 'Cache-Control', 'no-store'];
      exchange.answer(200, headers, (response) => open(exchange, response));
    },
    drain(scope) {
      for (const { exchange, response } of streams) {
        if (exchange.connection.scope === scope) response.end();
      }
    },
    close() {
      heartbeat?.cancel();
      stopStore();
      stopAccess();
    },
  };
}
