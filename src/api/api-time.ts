// Times as the local API writes them: RFC 3339 from wall time in milliseconds.

/** `null`: not known, or without end. */
export function apiTime(wall: number | undefined): string | null {
  return wall === undefined || !Number.isFinite(wall) ? null : apiMoment(wall);
}

/** Of something that has happened. */
export function apiMoment(wall: number): string {
  return new Date(wall).toISOString();
}
