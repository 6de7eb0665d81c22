// What `status` and `explain` tell of a secret: state, age, plan and error; never a value.
import type { Entry } from '../../store/entry.ts';
import { shownVersion } from '../../store/secret-version.ts';

export interface SecretStatus {
  /** The config's names for it; empty for a path that only a template asks for. */
  names: string[];
  key: string;
  upstream: string;
  path: string;
  state: Entry['state'];
  version: number | null;
  /** RFC 3339. */
  obtained_at: string | null;
  expires_at: string | null;
  age_seconds: number | null;
  next: { action: string; at: string; why: string } | null;
  error: { code: string; message: string; since: string; count: number } | null;
  /** How many consumers hold which version. */
  consumers: { consumer: string; version: number }[];
}

interface SecretStatusInput {
  entry: Entry;
  names: readonly string[];
  holders: ReadonlyMap<string, { number: number }>;
  wallNow: number;
}

export function secretStatus({ entry, names, holders, wallNow }: SecretStatusInput): SecretStatus {
  const { current, next, error } = entry;
  return {
    names: [...names],
    key: entry.key,
    upstream: entry.reference.upstream,
    path: entry.reference.path,
    state: entry.state,
    version: current === undefined ? null : shownVersion(current),
    obtained_at: current === undefined ? null : isoTime(current.obtainedAt),
    expires_at: entry.expiresAt === undefined ? null : isoTime(entry.expiresAt),
    age_seconds:
      current === undefined ? null : Math.max(0, Math.round((wallNow - current.obtainedAt) / 1000)),
    next: next === undefined ? null : { action: next.action, at: isoTime(next.at), why: next.why },
    error: error === undefined ? null : { ...error, since: isoTime(error.since) },
    consumers: [...holders].map(([consumer, { number }]) => ({ consumer, version: number })),
  };
}

export function isoTime(wall: number): string {
  return Number.isFinite(wall) ? new Date(wall).toISOString() : 'never';
}
