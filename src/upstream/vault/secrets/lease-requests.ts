// Renews and revokes leases at the server, and tells which it has no more.

import { JsonNumber } from '../../../base/text/json.ts';
import { UpstreamError } from '../../../base/upstream-error.ts';
import type { LeaseRenewal, LeaseRequests, RequestOptions } from '../../../store/secret-reading.ts';
import { answerJson, answerTexts, invalidAnswer, requestRefusal } from '../answer-policy.ts';
import type { Authorised, AuthorisedAnswer } from '../session/authorised.ts';
import { longestSeconds, seconds } from './issued-life.ts';

interface LeaseRequestParts {
  readonly authorised: Authorised;
  readonly onLeaseGone: (leaseId: string) => void;
}

const leaseGone = /lease (?:not found|expired)|invalid lease/i;

export function createLeaseRequests({
  authorised,
  onLeaseGone,
}: LeaseRequestParts): Pick<LeaseRequests, 'renew' | 'revoke'> {
  async function renew(
    leaseId: string,
    incrementSeconds: number,
    request: RequestOptions,
  ): Promise<LeaseRenewal> {
    const increment = new JsonNumber(String(Math.max(1, Math.round(incrementSeconds))));
    const body = { lease_id: leaseId, increment };
    const answer = await authorised({
      ...{ method: 'PUT', path: 'sys/leases/renew', body, isHarmless: true },
      ...request,
    });
    if (answer.status >= 300) throw leaseRefusal(answer, 'renew', leaseId, onLeaseGone);
    const json = answerJson(answer);
    if (json === undefined) throw invalidAnswer(`renew ${leaseId}`, answer);
    return {
      durationSeconds: Math.min(Math.max(0, seconds(json['lease_duration']) ?? 0), longestSeconds),
      isRenewable: json['renewable'] === true,
    };
  }

  async function revoke(leaseId: string, request: RequestOptions): Promise<void> {
    const body = { lease_id: leaseId };
    const answer = await authorised({
      ...{ method: 'PUT', path: 'sys/leases/revoke', body, isHarmless: true },
      ...request,
    });
    onLeaseGone(leaseId);
    if (answer.status < 300 || answerTexts(answer).some((text) => leaseGone.test(text))) return;
    throw leaseRefusal(answer, 'revoke', leaseId, onLeaseGone);
  }

  return { renew, revoke };
}

function leaseRefusal(
  answer: AuthorisedAnswer,
  action: 'renew' | 'revoke',
  leaseId: string,
  onLeaseGone: (leaseId: string) => void,
): UpstreamError {
  const what = `${action} lease ${leaseId}`;
  const texts = answerTexts(answer);
  if (answer.status === 404 || texts.some((text) => leaseGone.test(text))) {
    onLeaseGone(leaseId);
    return new UpstreamError('lease_lost', `${what}: the vault does not have it any more`, {
      status: answer.status,
      remedy: 'a new one is asked for; see the audit log of the vault for who revoked it',
    });
  }
  const path = `sys/leases/${action}`;
  return requestRefusal(answer, { what, path, capability: 'update', secrets: [answer.token.value.text()] });
}
