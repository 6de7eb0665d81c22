// Times as the local API writes them: RFC 3339 from wall time in milliseconds.

/** `null`: not known, or without end. */
export function apiTime(wall: number | undefined): string | null {
  return wall === undefined || !Number.isFinite(wall) ? null : apiMoment(wall);
}

/** What RFC 3339 can write. */
const [first, last] = [Date.UTC(0, 0, 1), Date.UTC(9999, 11, 31, 23, 59, 59, 999)];

/** Of something that has happened. Total: what is no time is the first one, what lies beyond all times the last. */
export function apiMoment(wall: number): string {
  return new Date(Number.isNaN(wall) ? first : Math.min(Math.max(wall, first), last)).toISOString();
}
