// AWS for the recorded requests: secrets by any id, and each of its refusals.
import { JsonNumber, type JsonObject } from '../../../src/base/text/json.ts';
import { UpstreamError } from '../../../src/base/upstream-error.ts';
import type { AgentView } from '../../../src/server/agent-view.ts';

const secrets: Readonly<Record<string, JsonObject>> = {
  'prod/key': {
    SecretString: '{"key":"ä"}',
    VersionStages: ['AWSCURRENT'],
    CreatedDate: new JsonNumber('1767225600.25'),
  },
  bytes: { SecretBinary: 'AAEC', CreatedDate: null },
  'secrets/db': { SecretString: 'of the path' },
};
const refusals: Readonly<Record<string, UpstreamError>> = {
  secret: new UpstreamError('denied', 'not this one (AccessDeniedException)'),
  deleted: new UpstreamError('request_invalid', 'it is deleted (InvalidRequestException)'),
  limited: new UpstreamError('upstream_rate_limited', 'slowly'),
  away: new UpstreamError('upstream_unavailable', 'no route'),
};

export const awsById: NonNullable<AgentView['awsSecret']> = async (_upstream, query) => {
  const { secretId, versionId, versionStage } = query;
  const refusal = refusals[secretId];
  if (refusal !== undefined) throw refusal;
  const found = secrets[secretId];
  if (found === undefined) throw new UpstreamError('not_found', 'no such secret (ResourceNotFoundException)');
  const VersionId =
    versionId ?? `11111111-2222-4333-a444-${(versionStage ?? '').padStart(12, '0').slice(-12)}`;
  return {
    ARN: `arn:aws:secretsmanager:eu:1:secret:${secretId}-a1b2c3`,
    Name: secretId,
    VersionId,
    ...found,
  };
};
