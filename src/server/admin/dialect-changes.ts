// Server-sent events for administrators: `step` for each step of a rotation, `changed` when `/status` may say something else.
// A few times a second at most, however much happens, and nothing is done while nobody listens.

import { routes } from '../../api/routes.ts';
import type { StepEvent } from '../../api/timeline.ts';
import { createEarliestTimer } from '../../base/time/earliest-timer.ts';
import type { DialectHandler } from '../http/dialect.ts';
import { createEventStreams } from '../http/event-streams.ts';
import { methodNotAllowed } from '../http/http-request.ts';
import type { ServerContext } from '../http/server-context.ts';
import { isAdminServedBy } from './dialect-admin.ts';

const gatherMs = 250;
/** What comes beyond that in one go is counted, not told. */
const mostSteps = 100;

export function createChangesDialect(context: ServerContext): DialectHandler {
  const { view, clock } = context;
  const streams = createEventStreams(context, { right: { kind: 'admin' }, onCount: follow });
  let stops: readonly (() => void)[] = [];
  let steps: StepEvent[] = [];
  let omitted = 0;
  const timer = createEarliestTimer(clock, flush);

  function flush(): void {
    const told = steps.map((step) => `event: step\ndata: ${JSON.stringify(step)}\n\n`);
    const text = `${told.join('')}event: changed\ndata: ${JSON.stringify({ omitted })}\n\n`;
    [steps, omitted] = [[], 0];
    for (const stream of streams.all) stream.send(text);
  }

  function soon(): void {
    timer.within(gatherMs);
  }

  function follow(count: number): void {
    if (count > 0 && stops.length > 0) return;
    for (const stop of stops) stop();
    stops = [];
    if (count === 0) return;
    const noteStep = (step: StepEvent): void => {
      if (steps.length < mostSteps) steps.push(step);
      else omitted += 1;
      soon();
    };
    stops = [view.onStep(noteStep), view.onChange(soon)];
  }

  return {
    name: 'admin',
    roots: ['changes'],
    isServedBy: isAdminServedBy,
    handle(exchange) {
      if (exchange.method !== routes.changes.method) methodNotAllowed(exchange, routes.changes.method);
      else if (exchange.path !== routes.changes.path) exchange.fail('not_found', 'no such path');
      else streams.open(exchange);
    },
    drain: streams.drain,
    close() {
      timer.cancel();
      follow(0);
      streams.close();
    },
  };
}
