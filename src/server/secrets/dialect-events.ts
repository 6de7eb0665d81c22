// Server-sent events: `rotated` with name and version, to each stream those of the names that its caller may read.

import type { RotatedEvent } from '../../api/secrets.ts';
import { shownVersion } from '../../store/secret-version.ts';
import type { DialectHandler } from '../http/dialect.ts';
import { createEventStreams } from '../http/event-streams.ts';
import { methodNotAllowed } from '../http/http-request.ts';
import type { ServerContext } from '../http/server-context.ts';

export function createEventsDialect(context: ServerContext): DialectHandler {
  const { view, access } = context;
  const streams = createEventStreams(context, { right: { kind: 'list' } });

  const stopStore = view.store.listen({
    changed(entry, version) {
      if (streams.all.size === 0) return;
      for (const name of view.names.namesOf(entry.key)) {
        const text = `event: rotated\ndata: ${JSON.stringify({ name, version: shownVersion(version) } satisfies RotatedEvent)}\n\n`;
        for (const stream of streams.all) {
          if (access.decideSecret(stream.exchange.caller, name).isAllowed) stream.send(text);
        }
      }
    },
  });

  return {
    name: 'secrets',
    roots: ['events'],
    isServedBy: (listener) => listener.serve.includes('secrets'),
    handle(exchange) {
      if (exchange.method !== 'GET') methodNotAllowed(exchange, 'GET');
      else if (exchange.path !== '/events') exchange.fail('not_found', 'no such path');
      else streams.open(exchange);
    },
    drain: streams.drain,
    close() {
      streams.close();
      stopStore();
    },
  };
}
