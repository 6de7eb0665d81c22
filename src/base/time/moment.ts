// A moment by both clocks. What counts from it is over when either clock says so: the one stands still while the host
// sleeps, and the other may be set back.
import type { Clock } from './clock.ts';

export interface Moment {
  readonly monotonic: number;
  readonly wall: number;
}

type Clocks = Pick<Clock, 'now' | 'wall'>;

export function momentNow(clock: Clocks): Moment {
  return { monotonic: clock.now(), wall: clock.wall() };
}

/** The longer of what the two clocks counted, in milliseconds. */
export function passedSince(moment: Moment, clock: Clocks): number {
  return Math.max(clock.now() - moment.monotonic, clock.wall() - moment.wall);
}
