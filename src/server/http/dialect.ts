// One way of asking. `routes.ts` lists them all; adding one means a file of its own and a line there.
import type { ListenerConfig } from '../../config/resolved.ts';
import type { ListenerScope } from '../listen/connection.ts';
import type { Exchange, ExchangeDialect } from './exchange.ts';

/** Stands for every first segment that no dialect has. */
export const anyRoot = '*';

export interface DialectHandler extends ExchangeDialect {
  /** First segments of the paths that are its own: `['secrets', 'events']`. The first dialect of the list wins. */
  readonly roots: readonly string[];
  /** More of them, which the settings of the listener name. */
  rootsOf?(listener: ListenerConfig): readonly string[];
  isServedBy(listener: ListenerConfig): boolean;
  /** Answers through the exchange, now or later; what it throws becomes an error answer. */
  handle(exchange: Exchange): void | Promise<void>;
  /** Ends what it keeps open on this listener, so that its connections can drain. */
  drain?(scope: ListenerScope): void;
  /** After the last connection is gone. */
  close?(): void;
}

/** The dialects of one listener by the first segment of the path. */
export type DialectsByRoot = ReadonlyMap<string, DialectHandler>;
