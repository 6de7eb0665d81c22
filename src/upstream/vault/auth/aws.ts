// Method `aws` (iam): a GetCallerIdentity request, signed here with the host's credentials and sent to AWS by Vault.
import { AwsV4Signer } from 'aws4fetch';
import { findAwsCredentials, stsEndpoint } from '../../cloud/find-aws-credentials.ts';
import type { AuthConfig } from '../config/vault-config.ts';
import type { AuthContext, AuthMethod } from './auth-method.ts';

type AwsConfig = Extract<AuthConfig, { method: 'aws' }>;

const requestBody = 'Action=GetCallerIdentity&Version=2011-06-15';

export function createAwsMethod(config: AwsConfig, context: AuthContext): AuthMethod {
  const url = config.stsEndpoint ?? stsEndpoint(config.region);
  return {
    async credentials(signal) {
      const { env } = context;
      const keys = await findAwsCredentials({ env, signal });
      const signed = await new AwsV4Signer({
        url,
        method: 'POST',
        body: requestBody,
        service: 'sts',
        region: config.region,
        accessKeyId: keys.accessKeyId,
        secretAccessKey: keys.secretAccessKey.text(),
        ...(keys.sessionToken ? { sessionToken: keys.sessionToken.text() } : {}),
        headers: {
          'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8',
          ...(config.headerValue === undefined ? {} : { 'X-Vault-AWS-IAM-Server-ID': config.headerValue }),
        },
      }).sign();
      const headers = Object.fromEntries([...signed.headers].map(([name, value]) => [name, [value]]));
      return {
        kind: 'login',
        path: 'login',
        body: {
          role: config.role,
          iam_http_request_method: 'POST',
          iam_request_url: base64(signed.url.toString()),
          iam_request_body: base64(requestBody),
          iam_request_headers: base64(JSON.stringify(headers)),
        },
      };
    },
  };
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
