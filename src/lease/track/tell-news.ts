// What the log says of secrets whose upstream fails or answers again. What hits all secrets of an upstream alike is one line
// for it, and one when it is over, with how many it was.
import { describeError, errorCode } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { isOutageError } from './failure-policy.ts';
import type { TrackWish } from './track-state.ts';

export interface Subject {
  readonly upstream: string;
  /** By the config's name where it has one, and by the key that status shows. */
  readonly fields: { readonly secret: string; readonly key: string };
}

export type TellNews = (
  news: Extract<TrackWish, { do: 'tell' }>,
  subject: Subject,
  /** What went wrong last. */
  error: unknown,
) => void;

export function createTellNews(logger: Logger): TellNews {
  /** By upstream and code: the keys of the secrets that it hits, of which the first is named. */
  const outages = new Map<string, { readonly upstream: string; readonly hit: Set<string> }>();
  /** By upstream: how many secrets have expired since it answered last. */
  const expired = new Map<string, number>();
  /** Of outages that are over: told of all of them together. */
  const toldOf = new Set<string>();

  function failed({ upstream, fields }: Subject, error: unknown, isNews: boolean, state: string): void {
    const code = errorCode(error);
    const id = `${upstream}\n${code}`;
    const outage =
      isNews && isOutageError(error) ? (outages.get(id) ?? { upstream, hit: new Set() }) : undefined;
    if (outage !== undefined) outages.set(id, outage);
    if (isNews) toldOf.delete(fields.key);
    outage?.hit.add(fields.key);
    const isNamed = isNews && (outage === undefined || outage.hit.size === 1);
    logger[isNamed ? 'warn' : 'debug'](
      { event: 'secret.failing', ...fields, code, state },
      describeError(error),
    );
  }

  /** The first that is answered speaks for all. */
  function recovered({ upstream, fields }: Subject, isTold: boolean): void {
    expired.delete(upstream);
    if (!isTold) return;
    const over = [...outages].filter(([, one]) => one.upstream === upstream);
    const hit = new Set(over.flatMap(([, one]) => [...one.hit]));
    for (const [id] of over) outages.delete(id);
    for (const key of hit) toldOf.add(key);
    const isToldOf = toldOf.delete(fields.key) && over.length === 0;
    const others = hit.size - (hit.has(fields.key) ? 1 : 0);
    const told = others > 0 ? { ...fields, upstream, others } : fields;
    logger[isToldOf ? 'debug' : 'info'](told, 'upstream answers for this secret again');
  }

  /** The first by its name, then how many there are, at each doubling: status has all of them. */
  function ended({ upstream, fields }: Subject, error: unknown): void {
    const count = (expired.get(upstream) ?? 0) + 1;
    expired.set(upstream, count);
    const told = { ...fields, code: errorCode(error) };
    if (count === 1) logger.warn(told, 'the secret has expired and is no longer handed out');
    else logger.debug(told, 'the secret has expired and is no longer handed out');
    if (count > 1 && Number.isInteger(Math.log2(count))) {
      logger.warn({ upstream, expired: count }, `${count} secrets have expired while upstream fails`);
    }
  }

  return (news, subject, error) => {
    if (news.news === 'recovered') recovered(subject, news.isTold);
    else if (news.news === 'failed') failed(subject, error, news.isNews, news.state);
    else ended(subject, news.error);
  };
}
