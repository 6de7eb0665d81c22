// What `status` and `explain` tell of a secret: state, age, plan and error; never a value.
import { apiTime } from '../../api/api-time.ts';
import type { SecretStatus } from '../../api/status.ts';
import type { LastValueEnd } from '../../lease/lease-engine.ts';
import type { Entry } from '../../store/entry.ts';
import { shownVersion } from '../../store/secret-version.ts';
import { callsADay } from './calls.ts';
import { lastValueOf } from './last-value.ts';

interface SecretStatusInput {
  entry: Entry;
  names: readonly string[];
  holders: ReadonlyMap<string, { number: number }>;
  wallNow: number;
  lastValueEnd: LastValueEnd | undefined;
}

export function secretStatus({
  entry,
  names,
  holders,
  wallNow,
  lastValueEnd,
}: SecretStatusInput): SecretStatus {
  const { current, next, error } = entry;
  return {
    names: [...names],
    key: entry.key,
    upstream: entry.reference.upstream,
    path: entry.reference.path,
    state: entry.state,
    version: current === undefined ? null : shownVersion(current),
    obtained_at: apiTime(current?.obtainedAt),
    expires_at: apiTime(entry.expiresAt),
    age_seconds:
      current === undefined ? null : Math.max(0, Math.round((wallNow - current.obtainedAt) / 1000)),
    confirmed_at: apiTime(entry.confirmedAt),
    last_value: lastValueOf(entry, lastValueEnd),
    calls_a_day: callsADay(entry),
    next: next === undefined ? null : { action: next.action, at: apiTime(next.at), why: next.why },
    error: error === undefined ? null : { ...error, since: apiTime(error.since) },
    consumers: [...holders].map(([consumer, version]) => ({ consumer, version: shownVersion(version) })),
  };
}
