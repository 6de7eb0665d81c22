// Until when a value that upstream does not confirm is still handed out, which key of the config decides that, and what
// happens then, in words.
import { apiTime } from '../../api/api-time.ts';
import type { LastValueStatus } from '../../api/status.ts';
import { formatDuration } from '../../base/time/duration.ts';
import type { LastValueEnd } from '../../lease/lease-engine.ts';
import { type Entry, isLastValue } from '../../store/entry.ts';

const afterwards =
  'then nobody gets it any more (expired): files and programs keep what they have, and the agent is not ready unless the secret says required: false';

/** Null: the value is confirmed, or there never was one. */
export function lastValueOf(
  { state, expiresAt }: Pick<Entry, 'state' | 'expiresAt'>,
  end: LastValueEnd | undefined,
): LastValueStatus | null {
  if (end === undefined || (!isLastValue(state) && state !== 'expired')) return null;
  const isOver = state === 'expired';
  const then = isOver
    ? 'it is handed out again as soon as upstream gives one'
    : end.until === undefined
      ? 'it is handed out as long as upstream does not give another'
      : afterwards;
  return {
    // Whole seconds: two clocks are between, and who watches must not be told of another time at each look.
    until: isOver || end.until === undefined ? null : apiTime(Math.round(end.until / 1000) * 1000),
    by: end.by,
    why: whyOf(end, state, expiresAt !== undefined),
    then,
  };
}

function whyOf(
  { by, maxStaleMs, isDefault }: LastValueEnd,
  state: Entry['state'],
  isLeased: boolean,
): string {
  switch (by) {
    case 'on_removed':
    case 'on_denied':
      return `${by}: fail`;
    case 'on_stale':
      return 'on_stale: keep';
    case 'end':
      return 'the credential itself ends then';
    case 'max_stale': {
      const kept = !isLeased && (state === 'removed' || state === 'denied') ? `on_${state}: keep, for ` : '';
      const from = isLeased ? 'the first failure' : 'when upstream confirmed it last';
      return `${kept}max_stale: ${formatDuration(maxStaleMs)}${isDefault ? ' (the default)' : ''} from ${from}`;
    }
  }
}
