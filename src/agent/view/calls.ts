// What the secrets of an upstream ask of it: calls a day, what of its limits they use, and how much slower it goes where those do
// not bear it.

import type { LimitStatus, UpstreamStatus } from '../../api/status.ts';
import { counted, timesText } from '../../base/text/counted.ts';
import type { Entry } from '../../store/entry.ts';
import { backgroundShare } from '../../upstream/gate/allowance.ts';
import type { SourceStatus } from '../../upstream/secret-source.ts';

export interface Demand {
  /** Secrets that are polled. */
  readonly count: number;
  readonly perSecond: number;
}

type Calls = UpstreamStatus['calls'];
type Asked = Pick<Entry, 'current' | 'policy'>;

const daySeconds = 86_400;
const noDemand: Demand = { count: 0, perSecond: 0 };

/** By the name of an upstream. */
export function demandsOf(entries: Iterable<Asked & Pick<Entry, 'reference'>>): (name: string) => Demand {
  const demands = new Map<string, Demand>();
  const demandOf = (name: string): Demand => demands.get(name) ?? noDemand;
  for (const entry of entries) {
    if (!isPolled(entry)) continue;
    const { upstream } = entry.reference;
    const { count, perSecond } = demandOf(upstream);
    demands.set(upstream, { count: count + 1, perSecond: perSecond + 1000 / entry.policy.refreshMs });
  }
  return demandOf;
}

/** Of one secret; null: its end says when it is asked for, or it is not. */
export function callsADay(entry: Asked): number | null {
  return isPolled(entry) ? Math.ceil((daySeconds * 1000) / entry.policy.refreshMs) : null;
}

function isPolled({ current }: Asked): boolean {
  return current?.kind === 'static' || current?.kind === 'rotating';
}

export function callsOf({ count, perSecond }: Demand, { budget }: SourceStatus): Calls {
  if (budget === undefined) return undefined;
  const { priceOfTenThousand } = budget;
  const allowed = allowedPerSecond(budget);
  const aDay = Math.ceil(Math.min(perSecond, allowed) * daySeconds);
  return {
    last_hour: budget.asked.hour,
    last_day: budget.asked.day,
    a_day: aDay,
    dollars_a_day:
      priceOfTenThousand === undefined ? null : Number(((aDay * priceOfTenThousand) / 10_000).toFixed(2)),
    limits: budget.limits.map(
      ({ meter, most, perMs, used, from }): LimitStatus => ({
        limit: `${most} ${meter === 'reads' ? 'reads' : `reads of ${meter}`} ${spanOf(perMs)}`,
        share: Number((used / most).toFixed(3)),
        used,
        from,
      }),
    ),
    slowed_to_seconds: perSecond > allowed ? Math.round(count / allowed) : null,
  };
}

/** One sentence; undefined: `refresh` is kept. */
export function slowness({ count, perSecond }: Demand, status: SourceStatus): string | undefined {
  const { budget } = status;
  if (budget === undefined) return undefined;
  const most = budget.requestsPerSecond ?? Number.POSITIVE_INFINITY;
  if (perSecond > most) {
    const wanted = Math.ceil(perSecond * 1.2);
    return `refresh cannot be kept: its secrets ask ${timesText(Math.ceil(perSecond))} a second; set budget.requests_per_second from ${most} to ${wanted}, or refresh less often`;
  }
  const allowed = allowedPerSecond(budget);
  if (perSecond <= allowed) return undefined;
  const tightest = budget.limits.find((limit) => paceOf(limit) === allowed);
  if (tightest === undefined) return undefined;
  const limit = `${counted(tightest.most, 'read')} ${spanOf(tightest.perMs)}`;
  return `slowed down for the limit of ${limit}: ${count === 1 ? 'its secret' : `each of its ${count} secrets`} is looked at about every ${describeSpan(count / allowed)}; raise refresh to that, or limits if it allows more`;
}

function allowedPerSecond({ limits }: NonNullable<SourceStatus['budget']>): number {
  return Math.min(...limits.map(paceOf));
}

function paceOf({ most, perMs }: { most: number; perMs: number }): number {
  return (Math.max(1, Math.floor(most * backgroundShare)) * 1000) / perMs;
}

function spanOf(perMs: number): string {
  const names: Record<number, string> = {
    1000: 'a second',
    60000: 'a minute',
    3600000: 'an hour',
    86400000: 'a day',
  };
  return names[perMs] ?? `in ${perMs / 1000} s`;
}

function describeSpan(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
