// Secrets of AWS by any id, for listeners that serve them without a name: asked for when somebody asks, kept for a while and
// no more of them than the config says, as AWS's own agent does. Who may have one is decided before.
import type { AwsSecretQuery } from '../../base/aws-secret-query.ts';
import { RecentMap } from '../../base/bounded-map.ts';
import { describeError, errorCode } from '../../base/errors.ts';
import { isJsonObject, JsonNumber, type JsonObject, type JsonValue } from '../../base/text/json.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { AnySecretConfig } from '../../config/resolved.ts';
import type { AgentView } from '../agent-view.ts';
import type { AwsFault } from './aws-fault.ts';

export interface AnySecrets {
  /** The bytes of GetSecretValue's JSON, or what AWS's agent would say. `isFresh`: what is kept does not count. */
  find(config: AnySecretConfig, query: AwsSecretQuery, isFresh: boolean): Promise<Buffer | AwsFault>;
}

interface Kept {
  readonly body: Buffer;
  /** Monotonic, in milliseconds. */
  readonly obtainedAt: number;
}

/** Of one listener's settings; a reload begins with an empty one. */
interface Cache {
  /** What was asked for longest ago goes first. */
  readonly kept: RecentMap<string, Kept>;
  readonly asked: Map<string, Promise<Buffer | AwsFault>>;
}

const requestLimitMs = 30_000;
const longestStaleMs = 86_400_000;

export function createAnySecrets({ view, clock }: { view: AgentView; clock: Clock }): AnySecrets {
  const caches = new WeakMap<AnySecretConfig, Cache>();

  function cacheOf(config: AnySecretConfig): Cache {
    const known = caches.get(config) ?? { kept: new RecentMap(config.cacheSize), asked: new Map() };
    caches.set(config, known);
    return known;
  }

  async function ask(
    cache: Cache,
    config: AnySecretConfig,
    query: AwsSecretQuery,
    key: string,
  ): Promise<Buffer | AwsFault> {
    const signal = AbortSignal.timeout(requestLimitMs);
    try {
      const answer = await view.awsSecret(config.upstream, query, signal);
      const body = Buffer.from(JSON.stringify(shapeOf(answer)), 'utf8');
      if (config.ttlMs > 0) cache.kept.set(key, { body, obtainedAt: clock.now() });
      return body;
    } catch (error) {
      const code = errorCode(error) ?? 'internal';
      const before = cache.kept.get(key);
      if (isPassing(code)) {
        const isGiven = config.servesStale && before !== undefined;
        if (isGiven && clock.now() - before.obtainedAt < longestStaleMs) return before.body;
      } else cache.kept.delete(key);
      return faultOf(code, describeError(error), signal.aborted);
    }
  }

  return {
    find(config, query, isFresh) {
      const cache = cacheOf(config);
      const key = JSON.stringify([query.secretId, query.versionId, query.versionStage]);
      const known = cache.kept.get(key);
      if (!isFresh && known !== undefined && clock.now() - known.obtainedAt < config.ttlMs) {
        cache.kept.set(key, known);
        return Promise.resolve(known.body);
      }
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
