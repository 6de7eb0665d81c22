// What the agent asks the vault about a token that it keeps for a caller, and about leases under it: by that very token.
import { buffer } from 'node:stream/consumers';
import type { SecretValue } from '../../base/secret-value.ts';
import { linkSignals } from '../../base/time/linked-signal.ts';
import type { AgentView } from '../agent-view.ts';
import { jsonFields } from './vault-forward.ts';
import { lookedUpSeconds, renewedSeconds } from './vault-held-policy.ts';

/** The seconds that are left (of a renewal 0: no longer renewed); `gone`; undefined: the vault gave no word on it. */
type Word = number | 'gone' | undefined;

interface TokenUse {
  readonly token: SecretValue;
  readonly namespace: string | undefined;
}

export interface TokenCalls {
  lookUp(use: TokenUse): Promise<Word>;
  renewToken(use: TokenUse): Promise<Word>;
  renewLease(use: TokenUse, leaseId: string, incrementSeconds: number): Promise<Word>;
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

  async function renewal(use: TokenUse, path: string, fields: object): Promise<Word> {
    const { isGone, json } = await call(use, 'PUT', path, fields);
    return isGone ? 'gone' : json && renewedSeconds(json);
  }

  return {
    async lookUp(use) {
      const { isGone, json } = await call(use, 'GET', 'auth/token/lookup-self');
      return isGone ? 'gone' : json && lookedUpSeconds(json);
    },
    renewToken: (use) => renewal(use, 'auth/token/renew-self', {}),
    renewLease: (use, leaseId, increment) =>
      renewal(use, 'sys/leases/renew', { lease_id: leaseId, increment }),
  };
}
