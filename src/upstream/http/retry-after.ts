// How long a server asks to be left alone: Retry-After in seconds or as a date (RFC 9110 §10.2.3). Pure.
import type { IncomingHttpHeaders } from 'node:http';

/** No answer silences the agent for days. */
const longestMs = 300_000;

/** In milliseconds; undefined where nothing is said, or nobody could mean it. A date counts from the server's own. */
export function retryAfterMs(headers: IncomingHttpHeaders): number | undefined {
  const told = headers['retry-after']?.trim();
  if (told === undefined) return undefined;
  const ms = /^\d+(?:\.\d+)?$/.test(told)
    ? Number(told) * 1000
    : Date.parse(told) - Date.parse(headers.date ?? '');
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), longestMs) : undefined;
}
