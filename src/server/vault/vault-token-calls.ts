// What the agent asks the vault about a token that it keeps for a caller, and about leases under it: by that very token.
import { buffer } from 'node:stream/consumers';
import { LatchkeyError } from '../../base/errors.ts';
import type { SecretValue } from '../../base/secret-value.ts';
import { linkSignals } from '../../base/time/linked-signal.ts';
import type { LeaseRenewal } from '../../store/secret-reading.ts';
import type { AgentView } from '../agent-view.ts';
import { jsonFields } from './vault-forward.ts';
import { type Grant, lookedUpSeconds, renewedLife } from './vault-held-policy.ts';

/** The seconds that are left; `gone`; undefined: the vault gave no word on it. */
type Word = number | 'gone' | undefined;

interface TokenUse {
  readonly token: SecretValue;
  readonly namespace: string | undefined;
}

export interface TokenCalls {
  lookUp(use: TokenUse): Promise<Word>;
  /** The token itself, or a lease that it got. Rejects `lease_lost` where it is gone, and where no word came. */
  renew(use: TokenUse, grant: Pick<Grant, 'kind' | 'id'>, incrementSeconds: number): Promise<LeaseRenewal>;
}

const limitMs = 30_000;

export function createTokenCalls(options: {
  forward: AgentView['forward'];
  signal: AbortSignal;
}): TokenCalls {
  async function call(use: TokenUse, method: string, path: string, fields?: object) {
    const until = linkSignals(options.signal, AbortSignal.timeout(limitMs));
    try {
      const answer = await options.forward({
        ...use,
        method,
        path: `/v1/${path}`,
        query: '',
        headers: fields === undefined ? {} : { 'content-type': 'application/json' },
        body: fields === undefined ? undefined : Buffer.from(JSON.stringify(fields)),
        signal: until.signal,
      });
      const json = jsonFields(await buffer(answer.body));
      const isGone = answer.status >= 400 && answer.status < 500 && answer.status !== 429;
      return { isGone, json: answer.status === 200 ? json : undefined };
    } catch {
      return { isGone: false, json: undefined }; // the vault is away: asked again later
    } finally {
      until.release();
    }
  }

  return {
    async lookUp(use) {
      const { isGone, json } = await call(use, 'GET', 'auth/token/lookup-self');
      return isGone ? 'gone' : json && lookedUpSeconds(json);
    },
    async renew(use, { kind, id }, increment) {
      const { isGone, json } =
        kind === 'token'
          ? await call(use, 'PUT', 'auth/token/renew-self', {})
          : await call(use, 'PUT', 'sys/leases/renew', { lease_id: id, increment });
      if (isGone) throw new LatchkeyError('lease_lost', `the vault has no such ${kind} any more`);
      if (json === undefined) throw new LatchkeyError('upstream_unavailable', 'no answer to a renewal');
      return renewedLife(json);
    },
  };
}
