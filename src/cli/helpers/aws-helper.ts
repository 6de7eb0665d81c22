// `credential_process` of the AWS tools: JSON on standard output, asked again about five minutes before Expiration.
import { awsCredentials, endlessCredentialsLifeMs } from '../../base/aws-credentials.ts';
import { fetchSecret, type HelperContext } from './helper-secret.ts';

export async function answerAws(context: HelperContext): Promise<string> {
  const secret = await fetchSecret(context);
  const { accessKeyId, secretAccessKey, sessionToken } = awsCredentials(secret.name, secret.fields);
  return `${JSON.stringify({
    Version: 1,
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    ...(sessionToken === undefined ? {} : { SessionToken: sessionToken }),
    Expiration: secret.expiresAt ?? new Date(Date.now() + endlessCredentialsLifeMs).toISOString(),
  })}\n`;
}
