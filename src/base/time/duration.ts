// Durations as operators write them: 250ms, 30s, 5m, 1h30m.
import { LatchkeyError } from '../errors.ts';

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const whole = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;
const part = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g;

/** Milliseconds of a duration such as `1h30m`; `0` needs no unit. Throws `usage` on anything else. */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  if (!whole.test(text)) {
    throw new LatchkeyError(
      'usage',
      `expected a duration such as 250ms, 30s, 5m or 1h30m, got ${JSON.stringify(text)}`,
    );
  }
  let total = 0;
  for (const [, amount, unit] of text.matchAll(part)) total += Number(amount) * (unitMs[unit ?? ''] ?? 0);
  return Math.round(total);
}

/** The shortest exact form that `parseDuration` reads: 5400000 is `1h30m`. */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms);
  if (rest <= 0) return '0s';
  let text = '';
  for (const unit of ['h', 'm', 's', 'ms']) {
    const size = unitMs[unit] ?? 1;
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}

/** For people: whole seconds, and milliseconds only below one. */
export function roughDuration(ms: number): string {
  return formatDuration(ms < 1000 ? ms : Math.round(ms / 1000) * 1000);
}
