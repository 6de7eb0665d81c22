// What may be asked of an upstream in a time: the limits that a service is known to have, and what the config says instead.
import * as z from 'zod/mini';
import { count, doc, section } from '../schema/fields.ts';

export interface LimitConfig {
  /** What it counts: `reads`, or what the kind calls it. */
  readonly meter: string;
  readonly most: number;
  readonly perMs: number;
  /** `service`: its documents say so; `config`: the operator does. */
  readonly from: 'service' | 'config';
}

export interface LimitsConfig {
  readonly limits: readonly LimitConfig[];
  /** US dollars for ten thousand requests, as the service's price list has it; undefined: they cost nothing. */
  readonly priceOfTenThousand: number | undefined;
}

const periods = {
  reads_per_second: 1000,
  reads_per_minute: 60_000,
  reads_per_hour: 3_600_000,
  reads_per_day: 86_400_000,
} as const;

const limits = section({
  reads_per_second: doc(z.optional(count(1)), 'In any second.'),
  reads_per_minute: doc(z.optional(count(1)), 'In any minute.'),
  reads_per_hour: doc(z.optional(count(1)), 'In any hour.'),
  reads_per_day: doc(z.optional(count(1)), 'In any day.'),
});

export const limitsSchema = {
  limits: doc(
    z.prefault(limits, {}),
    'What this agent may ask in a time, in place of what the service is known to allow; share it out where several hosts use one login. It slows down before.',
  ),
};

type LimitsInput = z.output<typeof limits>;

/** A limit of the config takes the place of those of the service for the same time or longer. */
export function resolveLimits(said: LimitsInput, known: Partial<LimitsConfig> = {}): LimitsConfig {
  const own = Object.entries(periods).flatMap(([key, perMs]): LimitConfig[] => {
    const most = said[key as keyof typeof periods];
    return most === undefined ? [] : [{ meter: 'reads', most, perMs, from: 'config' }];
  });
  const shortest = Math.min(...own.map(({ perMs }) => perMs));
  const kept = (known.limits ?? []).filter(({ perMs }) => perMs < shortest);
  return { limits: [...own, ...kept], priceOfTenThousand: known.priceOfTenThousand };
}
