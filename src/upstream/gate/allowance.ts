// What may be asked in a time: never more than the limit in any such time, and background requests spread over it, with a part
// kept for those that somebody waits for.
import type { Clock } from '../../base/time/clock.ts';
import type { LimitConfig } from '../../config/upstreams/limits.ts';

/** What a request uses up; `meter` is what the kind calls it. Default: one of `reads`. */
export interface Charge {
  readonly meter: string;
  readonly units: number;
}

export interface LimitUse extends LimitConfig {
  /** In the time before now. */
  readonly used: number;
}

export interface Allowance {
  /** Milliseconds until a request may go; 0: now. */
  waitMs(isBackground: boolean, charge: Charge): number;
  use(isBackground: boolean, charge: Charge): void;
  setLimits(limits: readonly LimitConfig[]): void;
  status(): readonly LimitUse[];
  /** Requests of the last hour and the last day, whatever limits there are. */
  asked(): { readonly hour: number; readonly day: number };
}

/** A time is counted in so many parts; one more is counted in than it has, so that none is counted out too soon. */
const parts = 60;
/** Of a limit: what the schedule may use, and what those may who wait. The rest is for what is counted otherwise there. */
export const backgroundShare = 0.8;
const waitingShare = 0.95;
/** How much of what it may use in a time the schedule may use at once. */
const burstShare = 0.05;

export function createAllowance(clock: Clock, limits: readonly LimitConfig[]): Allowance {
  let windows = limits.map((limit) => createWindow(clock, limit));
  const hour = createCount(clock, 3_600_000);
  const day = createCount(clock, 86_400_000);
  const concerned = ({ meter }: Charge) =>
    windows.filter(({ limit }) => limit.meter === 'reads' || limit.meter === meter);

  return {
    waitMs: (isBackground, charge) =>
      charge.units === 0 || windows.length === 0
        ? 0
        : Math.max(0, ...concerned(charge).map((window) => window.waitMs(isBackground, charge.units))),
    use(isBackground, charge) {
      hour.add(1);
      day.add(1);
      if (charge.units === 0) return;
      for (const window of concerned(charge)) window.use(isBackground, charge.units);
    },
    setLimits(next) {
      const before = windows;
      windows = next.map((limit) => {
        const same = before.find(({ limit: old }) => old.meter === limit.meter && old.perMs === limit.perMs);
        return createWindow(clock, limit, same?.count);
      });
    },
    status: () => windows.map(({ limit, count }) => ({ ...limit, used: count.sum() })),
    asked: () => ({ hour: hour.sum(), day: day.sum() }),
  };
}

interface Count {
  add(units: number): void;
  sum(): number;
  /** Milliseconds until the next part of the time goes out of the count. */
  untilNextMs(): number;
}

function createCount(clock: Clock, perMs: number): Count {
  const partMs = perMs / parts;
  /** By the number of the part since the clock's beginning, oldest first. */
  const used = new Map<number, number>();
  const partNow = (): number => Math.floor(clock.now() / partMs);

  function forget(): void {
    for (const part of used.keys()) {
      if (part >= partNow() - parts) return;
      used.delete(part);
    }
  }

  return {
    add(units) {
      forget();
      used.set(partNow(), (used.get(partNow()) ?? 0) + units);
    },
    sum() {
      forget();
      return used.values().reduce((sum, units) => sum + units, 0);
    },
    untilNextMs: () => Math.max(1, Math.ceil((partNow() + 1) * partMs - clock.now())),
  };
}

function createWindow(clock: Clock, limit: LimitConfig, count = createCount(clock, limit.perMs)) {
  const most = (share: number): number => Math.max(1, Math.floor(limit.most * share));
  const perUnitMs = limit.perMs / most(backgroundShare);
  const burstMs = Math.max(perUnitMs, limit.perMs * burstShare);
  /** When the background would be in time with an even pace. */
  let paceAt = clock.now();

  return {
    limit,
    count,
    waitMs(isBackground: boolean, units: number): number {
      const bound = most(isBackground ? backgroundShare : waitingShare);
      // What is more than all that is allowed goes when nothing else does.
      if (count.sum() > 0 && count.sum() + units > bound) return count.untilNextMs();
      return isBackground ? Math.max(0, Math.ceil(paceAt - clock.now() - burstMs)) : 0;
    },
    use(isBackground: boolean, units: number): void {
      count.add(units);
      if (isBackground) paceAt = Math.max(paceAt, clock.now()) + units * perUnitMs;
    },
  };
}
