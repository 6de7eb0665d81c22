// Which connections of a listener are at rest: those that asked something once, and nothing for a while.

import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../base/time/clock.ts';
import { createEarliestTimer } from '../../base/time/earliest-timer.ts';
import { createParserRest } from '../node-internals/parser-rest.ts';

export interface ConnectionRest {
  /** A request of it came. */
  note(socket: Socket): void;
  /** It has ended. */
  forget(socket: Socket): void;
  /** No more begin to rest, and those at rest end. */
  end(): void;
}

interface ConnectionRestOptions {
  readonly server: Server;
  readonly clock: Clock;
  /** Puts Node's parser on a socket. */
  parse(socket: Socket): void;
  /** Asked before the first rests. */
  canRest(): Promise<boolean>;
  /** Some have begun to rest: there is memory to give back. */
  onRest(): void;
}

/** A connection rests when nothing came from one look to the next: between this time and twice as long after its last request. */
const lookMs = 15_000;

export function createConnectionRest(options: ConnectionRestOptions): ConnectionRest {
  const { server, clock, parse } = options;
  let asked = new Set<Socket>();
  let quiet = new Set<Socket>();
  const timer = createEarliestTimer(clock, () => void look());
  let hasEnded = false;
  const rest = createParserRest(server, parse, note);

  function note(socket: Socket): void {
    if (asked.has(socket) || hasEnded) return;
    asked.add(socket);
    quiet.delete(socket);
    timer.within(lookMs);
  }

  async function look(): Promise<void> {
    if (quiet.size > 0 && !(await options.canRest())) hasEnded = true;
    if (hasEnded) return;
    const resting = new Set(rest.begin([...quiet]));
    // Those that wait for an answer are looked at again.
    quiet = asked.union(quiet.difference(resting));
    asked = new Set();
    if (quiet.size > 0) timer.within(lookMs);
    if (resting.size > 0) options.onRest();
  }

  return {
    note,
    forget(socket) {
      asked.delete(socket);
      quiet.delete(socket);
    },
    end() {
      hasEnded = true;
      timer.cancel();
      rest.end();
    },
  };
}
