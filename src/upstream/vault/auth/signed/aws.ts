// Method `aws`: a GetCallerIdentity request, signed here with the host's credentials and sent to AWS by Vault (iam), or the
// identity document of the instance with AWS's signature (ec2).
import { randomUUID } from 'node:crypto';
import { AwsV4Signer } from 'aws4fetch';
import { SecretValue } from '../../../../base/secret-value.ts';
import { signingKeys } from '../../../cloud/aws-keys.ts';
import { findAwsCredentials, instanceIdentity, stsEndpoint } from '../../../cloud/find-aws-credentials.ts';
import type { AuthConfig } from '../../config/vault-config.ts';
import type { AuthContext, AuthMethod } from '../auth-method.ts';

type AwsConfig = Extract<AuthConfig, { method: 'aws' }>;

const requestBody = 'Action=GetCallerIdentity&Version=2011-06-15';

export function createAwsMethod(config: AwsConfig, context: AuthContext): AuthMethod {
  return config.type === 'ec2' ? createInstanceMethod(config, context) : createSignedMethod(config, context);
}

/** The nonce is shown at each further login of this instance: it is made once, and handed on with a reload. */
function createInstanceMethod({ role, nonce }: AwsConfig, { env, memory }: AuthContext): AuthMethod {
  return {
    async credentials(signal) {
      const { document, signature } = await instanceIdentity({ env, signal });
      memory.secret ??= SecretValue.fromText(nonce ?? randomUUID());
      const body = { role, identity: base64(document), signature, nonce: memory.secret.text() };
      return { kind: 'login', path: 'login', body };
    },
  };
}

function createSignedMethod(config: AwsConfig, context: AuthContext): AuthMethod {
  const url = config.stsEndpoint ?? stsEndpoint(config.region);
  return {
    async credentials(signal) {
      const { env, faultOf } = context;
      const said = config.keys;
      const keys =
        said === undefined
          ? await findAwsCredentials({ env, signal, faultOf })
          : { accessKeyId: said.id, secretAccessKey: said.secret, sessionToken: said.sessionToken };
      const signed = await new AwsV4Signer({
        url,
        method: 'POST',
        body: requestBody,
        service: 'sts',
        region: config.region,
        ...signingKeys(keys),
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
