// Secrets of AWS by any id, for listeners that serve them without a name: asked for when somebody asks, kept for a while and
// no more of them than the config says, as AWS's own agent does. Who may have one is decided before.
import type { AwsSecretQuery } from '../../base/aws-secret-query.ts';
import { RecentMap } from '../../base/bounded-map.ts';
import { describeError, errorCode } from '../../base/errors.ts';
import { isJsonObject, JsonNumber, type JsonObject, type JsonValue } from '../../base/text/json.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { AnySecretConfig } from '../../config/resolved.ts';
import type { AgentView } from '../agent-view.ts';
import { isValidAt, mostPrepared, type PreparedAnswer } from '../http/prepared-answer.ts';
import type { AwsFault } from './aws-fault.ts';
import { awsAnswer, type TimedAnswer } from './aws-prepared.ts';

export interface AnySecrets {
  /** GetSecretValue's JSON, or what AWS's agent would say. `isFresh`: what is kept does not count. */
  find(config: AnySecretConfig, query: AwsSecretQuery, isFresh: boolean): Promise<PreparedAnswer | AwsFault>;
  /** What gives the answer for as long as it is kept, without asking anybody. */
  keptOf(config: AnySecretConfig, query: AwsSecretQuery): () => PreparedAnswer | undefined;
}

interface Kept {
  made: TimedAnswer;
  /** Monotonic, in milliseconds. */
  readonly obtainedAt: number;
}

/** Of one listener's settings; a reload begins with an empty one. */
interface Cache {
  /** What was asked for longest ago goes first. */
  readonly kept: RecentMap<string, Kept>;
  readonly asked: Map<string, Promise<PreparedAnswer | AwsFault>>;
}

const requestLimitMs = 30_000;
const longestStaleMs = 86_400_000;

export function createAnySecrets({ view, clock }: { view: AgentView; clock: Clock }): AnySecrets {
  const caches = new WeakMap<AnySecretConfig, Cache>();

  function cacheOf(config: AnySecretConfig): Cache {
    let known = caches.get(config);
    if (known === undefined) {
      known = {
        kept: new RecentMap(config.cacheSize, { heaviest: mostPrepared.bytes, weightOf }),
        asked: new Map(),
      };
      caches.set(config, known);
    }
    return known;
  }

  async function ask(
    cache: Cache,
    config: AnySecretConfig,
    query: AwsSecretQuery,
    key: string,
  ): Promise<PreparedAnswer | AwsFault> {
    const signal = AbortSignal.timeout(requestLimitMs);
    try {
      const answer = await view.awsSecret(config.upstream, query, signal);
      const made = awsAnswer(Buffer.from(JSON.stringify(shapeOf(answer)), 'utf8'), clock.wall());
      if (config.ttlMs > 0) cache.kept.set(key, { made, obtainedAt: clock.now() });
      return made.answer;
    } catch (error) {
      const code = errorCode(error) ?? 'internal';
      const before = cache.kept.get(key);
      if (isPassing(code)) {
        const isGiven = config.servesStale && before !== undefined;
        if (isGiven && clock.now() - before.obtainedAt < longestStaleMs) return answerOf(before);
      } else cache.kept.delete(key);
      return faultOf(code, describeError(error), signal.aborted);
    }
  }

  function answerOf(kept: Kept): PreparedAnswer {
    const wall = clock.wall();
    if (!isValidAt(kept.made, wall)) kept.made = awsAnswer(kept.made.answer.body, wall);
    return kept.made.answer;
  }

  /** What is still good of what is kept, which was asked for last by this. */
  function take(config: AnySecretConfig, key: string): PreparedAnswer | undefined {
    const { kept } = cacheOf(config);
    const known = kept.get(key);
    if (known === undefined || clock.now() - known.obtainedAt >= config.ttlMs) return undefined;
    kept.set(key, known);
    return answerOf(known);
  }

  return {
    keptOf(config, query) {
      const key = keyOf(query);
      return () => take(config, key);
    },
    find(config, query, isFresh) {
      const cache = cacheOf(config);
      const key = keyOf(query);
      const known = isFresh ? undefined : take(config, key);
      if (known !== undefined) return Promise.resolve(known);
      const underWay = isFresh ? undefined : cache.asked.get(key);
      if (underWay !== undefined) return underWay;
      const asking = ask(cache, config, query, key).finally(() => {
        if (cache.asked.get(key) === asking) cache.asked.delete(key);
      });
      cache.asked.set(key, asking);
      return asking;
    },
  };
}

/** The body, and once more with the headers. */
function weightOf({ made }: Kept): number {
  return made.answer.body.length * 2;
}

function keyOf({ secretId, versionId, versionStage }: AwsSecretQuery): string {
  return JSON.stringify([secretId, versionId, versionStage]);
}

/** AWS cannot be asked, or not now: what is known of the secret may still be right. */
function isPassing(code: string): boolean {
  return code !== 'not_found' && code !== 'denied' && code !== 'request_invalid';
}

/** In the order and form of AWS's agent: the date is a text. */
function shapeOf(answer: JsonObject): object {
  const { ARN, Name, VersionId, SecretString, SecretBinary, VersionStages, CreatedDate } = answer;
  return {
    ARN,
    Name,
    VersionId,
    ...(SecretString === undefined ? {} : { SecretString }),
    ...(SecretBinary === undefined ? {} : { SecretBinary }),
    ...(VersionStages === undefined ? {} : { VersionStages }),
    CreatedDate: dateOf(CreatedDate),
  };
}

function dateOf(value: JsonValue | undefined): string | null {
  if (value instanceof JsonNumber) return String(Number(value.text));
  return typeof value === 'string' || isJsonObject(value) || value === undefined ? null : String(value);
}

const faults: Readonly<Record<string, { status: number; type: string }>> = {
  not_found: { status: 400, type: 'ResourceNotFoundException' },
  denied: { status: 400, type: 'AccessDeniedException' },
  request_invalid: { status: 400, type: 'InvalidRequestException' },
  upstream_rate_limited: { status: 400, type: 'ThrottlingException' },
  upstream_unavailable: { status: 502, type: 'ConnectionError' },
  aborted: { status: 502, type: 'ConnectionError' },
};

function faultOf(code: string, message: string, isLate: boolean): AwsFault {
  if (isLate) return { status: 504, type: 'TimeoutError', message: 'Timeout' };
  const known = Object.hasOwn(faults, code) ? faults[code] : undefined;
  if (known === undefined) return { status: 500, type: 'InternalFailure', message };
  // What AWS itself calls it stands at the end of our message.
  const said = /\((\w+(?:Exception|Failure))\)$/.exec(message)?.[1];
  return { ...known, type: said ?? known.type, message };
}
