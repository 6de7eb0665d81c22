// Credentials of a role of AWS's STS, as a lease that ends by itself.
import { LatchkeyError } from '../../base/errors.ts';
import type { Reference } from '../../store/reference.ts';
import type { LeaseRequests } from '../../store/secret-reading.ts';
import type { SecretAnswer } from '../../store/secret-version.ts';
import { assumeRole, defaultSessionSeconds } from '../cloud/aws-roles.ts';
import { fieldsAnswer } from '../kind/kind-answer.ts';

/** Throws `login_failed`. `said`: the parameters of the path. */
export async function roleSession(
  own: Parameters<typeof assumeRole>[0],
  roleArn: string,
  said: Reference['parameters'],
  place: Parameters<typeof assumeRole>[2],
): Promise<SecretAnswer> {
  // What is asked for is what STS gives, or it refuses; by this host's clock its end may be anywhere.
  const durationSeconds = Number(said['duration'] ?? defaultSessionSeconds);
  const { session_name: sessionName, external_id: externalId, policy } = said;
  const keys = await assumeRole(own, { roleArn, sessionName, externalId, policy, durationSeconds }, place);
  const fields = {
    access_key: keys.accessKeyId,
    secret_key: keys.secretAccessKey.text(),
    security_token: keys.sessionToken?.text() ?? '',
    expiration: new Date(keys.expiresAt ?? 0).toISOString(),
  };
  return fieldsAnswer(fields, {
    kind: 'leased',
    lease: { id: `sts/${keys.accessKeyId}`, durationSeconds, isRenewable: false },
  });
}

export const roleLeases: LeaseRequests = {
  async renew(leaseId) {
    throw new LatchkeyError('lease_lost', `${leaseId}: sessions of AWS roles are not renewed, but replaced`);
  },
  // A session cannot be ended before its time.
  revoke: async () => undefined,
};
