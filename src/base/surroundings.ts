// What every part takes from the world around it, so that tests can give it another.
import type { Logger } from './logger.ts';
import type { WayPart } from './paths/trusted-path.ts';
import { type Clock, createSystemClock } from './time/clock.ts';

/** Variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface Surroundings {
  readonly clock: Clock;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  /** The agent's own environment. */
  readonly env: Environment;
  /**
   * Why others can change what is at the path, which is a `role` (`certificate`) and about to be read again: then it is not to
   * be used. Absent: nobody asks.
   */
  readonly faultOf?: FaultOf | undefined;
}

/** Of what lies at the path now, or, with `way`, of what was opened there. */
export type FaultOf = (path: string, role: string, options?: FaultOptions) => string | undefined;

export interface FaultOptions {
  /** Owners and groups of it are the affair of the user that it is for; what everybody can write is not. */
  readonly isOfAnother?: boolean;
  /** What was walked through, the file that was opened last. */
  readonly way?: readonly WayPart[];
}

/** Those of this host. */
export function systemSurroundings(logger: Logger, env: Environment): Surroundings {
  return { clock: createSystemClock(), random: Math.random, logger, env };
}
