// A vault for the recorded requests: what it answers to those that are passed on, and leases that it keeps.
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { LatchkeyError } from '../../../src/base/errors.ts';
import type { ForwardedAnswer } from '../../../src/base/forwarded.ts';
import { SecretValue } from '../../../src/base/secret-value.ts';
import type { Clock } from '../../../src/base/time/clock.ts';
import { UpstreamError } from '../../../src/base/upstream-error.ts';
import type { AgentView, VaultAccess } from '../../../src/server/agent-view.ts';
import { stillVault } from '../serving.ts';

/** What is no secret to keep, by the upstream's own word. */
const refusedPaths = ['secret/metadata/kv', '/missing', 'secret/data/own'];
const ownToken = 'hvs.the-agents-own-token';

/** What is handed out lives as long as it says, and no longer. */
export function vaultOf(clock: Clock): VaultAccess {
  return {
    ...stillVault,
    ownTokens: () => [SecretValue.fromText(ownToken)],
    async refresh(keys) {
      const refused = keys.filter((key) => refusedPaths.some((path) => key.includes(path)));
      return new Map(refused.map((key) => [key, new UpstreamError('not_found', 'nothing is there')]));
    },
    hold({ durationSeconds, sentAt }) {
      const endsAt = sentAt + durationSeconds * 1000;
      return {
        endsAt: () => (clock.wall() < endsAt ? endsAt : undefined),
        ...{ renew: async () => undefined, confirm() {}, release() {} },
      };
    },
  };
}

const none = { request_id: 'of the vault', lease_id: '', renewable: false, lease_duration: 0 };
const auth = { client_token: 'hvs.callers', accessor: 'a1', renewable: true, lease_duration: 3600 };
const lease = { ...none, lease_id: 'database/creds/app/1', renewable: true, lease_duration: 1800 };
const wrapped = { token: 'hvs.wrapped', ttl: 60, creation_time: '2026-01-01T00:00:00Z' };

/** By method and path; a number is a status without a body. */
const answers: Readonly<Record<string, object | number>> = {
  'GET secret/metadata?list=true': { ...none, data: { keys: ['kv', 'team/'] } },
  'LIST secret/metadata': { ...none, data: { keys: ['kv', 'team/'] } },
  'GET secret/metadata/kv': { ...none, data: { current_version: 2, versions: { 1: {}, 2: {} } } },
  'PUT secret/data/kv': { ...none, data: { version: 3, destroyed: false } },
  'PATCH secret/data/kv': { ...none, data: { version: 4, destroyed: false } },
  'DELETE secret/data/kv': 204,
  'GET secret/data/kv wrapped': { ...none, wrap_info: wrapped },
  'PUT sys/wrapping/unwrap': { ...none, data: { key: 'unwrapped' } },
  'GET secret/data/kv in team': { ...none, data: { data: { of: 'team' } } },
  'POST auth/approle/login': { ...none, auth },
  'PUT database/creds/app': { ...lease, data: { username: 'u', password: 'p' } },
  'GET auth/token/lookup-self': {
    ...none,
    data: { id: ownToken, accessor: 'own', ttl: 60, policies: ['app'] },
  },
  'POST auth/token/lookup': { ...none, data: { id: 'hvs.other', accessor: 'a2', ttl: 60 } },
  'POST auth/token/create': { ...none, auth: { ...auth, client_token: 'hvs.made', accessor: 'a3' } },
  'PUT sys/leases/renew': { ...lease, renewable: false },
  'PUT sys/leases/revoke': 204,
  'GET secret/data/own': { ...none, data: { data: { token: ownToken } } },
};

export function answerAs(clock: Clock): AgentView['forward'] {
  return async ({ method, path, query, namespace, headers, body }) => {
    const isWrapped = headers['x-vault-wrap-ttl'] !== undefined;
    const more = `${isWrapped ? ' wrapped' : ''}${namespace === undefined ? '' : ` in ${namespace}`}`;
    const of = `${method} ${path.replace(/^\/v1\//, '')}${query === '' ? '' : `?${query}`}${more}`;
    const answer = answers[of];
    if (/^GET (?:secret\/data\/missing|kv1\/missing)/.test(of)) return told(404, { errors: [] });
    if (answer === undefined) throw new LatchkeyError('upstream_unavailable', 'nothing to forward to');
    if (typeof answer === 'number') return { status: answer, headers: {}, body: Readable.from([]) };
    const sent = body === undefined ? undefined : (await buffer(Readable.from(body))).toString('utf8');
    return told(200, sent === undefined ? answer : { ...answer, sent, at: clock.wall() });
  };
}

function told(status: number, value: object): ForwardedAnswer {
  const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
  const headers = { 'content-type': 'application/json', 'content-length': String(bytes.length) };
  return { status, headers: { ...headers, 'x-of-the-vault': 'kept' }, body: Readable.from([bytes]) };
}
