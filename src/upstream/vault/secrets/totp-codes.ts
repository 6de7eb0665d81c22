// One-time passwords of the TOTP engine: a code is good until its period ends by the server's clock. How long a period is the
// key tells; where it may not be read, 30 s until the codes themselves show that theirs is longer.
import { BoundedMap } from '../../../base/bounded-map.ts';
import { isJsonObject } from '../../../base/text/json.ts';
import type { Clock } from '../../../base/time/clock.ts';
import type { Reference } from '../../../store/reference.ts';
import type { RequestOptions } from '../../../store/secret-reading.ts';
import type { SecretAnswer } from '../../../store/secret-version.ts';
import { UpstreamFailure } from '../../gate/failure.ts';
import type { ServerClock } from '../../http/server-clock.ts';
import { answerJson, type VaultAnswer } from '../answer-policy.ts';
import { seconds } from './issued-life.ts';
import type { Mount } from './kv-path-policy.ts';

export interface TotpCodes {
  /** The answer with the end of its code; one that is no code stays as it is. */
  aged(
    answer: SecretAnswer,
    reference: Reference,
    mount: Mount | undefined,
    request: RequestOptions,
  ): Promise<SecretAnswer>;
}

interface TotpCodesOptions {
  readonly clock: Clock;
  readonly serverClock: Pick<ServerClock, 'wall'>;
  /** Reads `totp/keys/NAME`. */
  readonly ask: (path: string, request: RequestOptions) => Promise<VaultAnswer>;
}

interface Period {
  readonly seconds: number;
  readonly isTold: boolean;
  /** Monotonic: asked again then. */
  readonly until: number;
  /** The last code, and the wall time at which it was to end when it came. */
  readonly code?: string;
  readonly endsAt?: number | undefined;
}

const usualSeconds = 30;
const longestSeconds = 300;
/** A key may be made again with another period, and a policy may come to allow it to be read. */
const believedMs = 600_000;
/** By so much the server's clock may be behind without our knowing. */
const slackMs = 4000;

export function createTotpCodes({ clock, serverClock, ask }: TotpCodesOptions): TotpCodes {
  const periods = new BoundedMap<string, Period>(1000);

  async function periodOf(path: string, request: RequestOptions): Promise<Period> {
    const known = periods.get(path);
    if (known !== undefined && clock.now() < known.until) return known;
    const told = await toldPeriod(path.replace(/(^|\/)code\/([^/]+)$/, '$1keys/$2'), request);
    const until = clock.now() + believedMs;
    if (told !== undefined) return { ...known, seconds: told, isTold: true, until };
    return { ...known, seconds: known?.seconds ?? usualSeconds, isTold: false, until };
  }

  async function toldPeriod(path: string, request: RequestOptions): Promise<number | undefined> {
    try {
      const answer = await ask(path, request);
      const data = answer.status === 200 ? answerJson(answer)?.['data'] : undefined;
      const period = isJsonObject(data) ? seconds(data['period']) : undefined;
      return period !== undefined && period >= 1 ? period : undefined;
    } catch (error) {
      // The code is here, and is worth more than its end.
      if (error instanceof UpstreamFailure) return undefined;
      throw error;
    }
  }

  return {
    async aged(answer, reference, mount, request) {
      if (!isCode(reference, mount)) return answer;
      const { dataDigest: code } = answer;
      const known = await periodOf(reference.path, request);
      const wallMs = serverClock.wall();
      const isSame = known.code === code;
      const hasOutlived = isSame && wallMs > (known.endsAt ?? Number.POSITIVE_INFINITY) + slackMs;
      const isLonger = hasOutlived && !known.isTold;
      const periodSeconds = isLonger ? Math.min(known.seconds * 2, longestSeconds) : known.seconds;
      const periodMs = periodSeconds * 1000;
      const endsAt = (Math.floor(wallMs / periodMs) + 1) * periodMs;
      const firstEnd = isSame && !isLonger ? known.endsAt : endsAt;
      periods.set(reference.path, { ...known, seconds: periodSeconds, code, endsAt: firstEnd });
      return { ...answer, kind: 'rotating', ttlSeconds: (endsAt - wallMs) / 1000 };
    },
  };
}

function isCode({ path, operation }: Reference, mount: Mount | undefined): boolean {
  if (operation !== 'read' || mount?.type !== 'totp') return false;
  return /^code\/[^/]+$/.test(path.slice(mount.prefix.length));
}
