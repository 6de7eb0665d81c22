// Durations as the tools of Vault write them: Go's (`1h30m`), and where a number stands alone, seconds.

const units: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const goDuration = /^([+-]?)((?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/;
const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;

/** Milliseconds, of `1h30m` and `0`; undefined for what Go does not take. */
export function parseGoDuration(text: string): number | undefined {
  if (/^[+-]?0$/.test(text)) return 0;
  if (!goDuration.test(text)) return undefined;
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(part)) ms += Number(amount) * (units[unit ?? ''] ?? 0);
  return text.startsWith('-') ? -ms : ms;
}

/** The same, and days (`2d`), and a whole number of seconds; empty is 0. */
export function parseSeconds(text: string): number | undefined {
  if (text === '') return 0;
  if (/^[+-]?\d+$/.test(text)) return Number(text) * 1000;
  const days = /^(\d+)d$/.exec(text)?.[1];
  return days === undefined ? parseGoDuration(text) : Number(days) * 86_400_000;
}

/** As latchkey.yaml writes it: the largest units that leave no rest. */
export function formatMs(ms: number): string {
  const whole = Math.round(ms);
  if (whole === 0) return '0s';
  for (const [unit, size] of [
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    if (whole % size === 0) return `${whole / size}${unit}`;
  }
  return `${whole}ms`;
}
