// `credential_process` of the AWS tools: JSON on standard output, asked again about five minutes before Expiration.
import { awsCredentials, endlessCredentialsLifeMs } from '../../base/aws-credentials.ts';
import { carried, fetchSecret, type HelperContext, notInHeaders } from './helper-secret.ts';

export async function answerAws(context: HelperContext): Promise<string> {
  const secret = await fetchSecret(context);
  const { accessKeyId, secretAccessKey, sessionToken } = awsCredentials(secret.name, secret.fields);
  const place = (what: string) => `aws: the ${what} of secret ${secret.name}`;
  carried(place('access key'), accessKeyId, notInHeaders);
  carried(place('secret key'), secretAccessKey, notInHeaders);
  carried(place('session token'), sessionToken ?? '', notInHeaders);
  return `${JSON.stringify({
    Version: 1,
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    ...(sessionToken === undefined ? {} : { SessionToken: sessionToken }),
    Expiration: secret.expiresAt ?? new Date(Date.now() + endlessCredentialsLifeMs).toISOString(),
  })}\n`;
}
