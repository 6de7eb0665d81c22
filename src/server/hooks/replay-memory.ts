// Messages that were taken, for as long as the same one would still be good.
export interface ReplayMemory {
  /** Undefined: it is new. Else when the first one came; all are wall time. */
  take(mark: string, untilMs: number, nowMs: number): number | undefined;
}

/** Only messages that were signed are remembered, so nobody else can fill it. */
const mostMarks = 10_000;

export function createReplayMemory(): ReplayMemory {
  const marks = new Map<string, { until: number; at: number }>();
  return {
    take(mark, untilMs, nowMs) {
      for (const [old, { until }] of marks) {
        if (until >= nowMs && marks.size < mostMarks) break;
        marks.delete(old);
      }
      const known = marks.get(mark);
      if (known !== undefined && known.until >= nowMs) return known.at;
      marks.set(mark, { until: untilMs, at: nowMs });
      return undefined;
    },
  };
}
