// Method `alicloud`: a GetCallerIdentity request, signed here with the host's keys and sent to Alibaba Cloud by Vault.
import { createHmac, randomUUID } from 'node:crypto';
import type { CloudKeys } from '../../../../config/upstreams/cloud-keys.ts';
import { findAlicloudKeys } from '../../../cloud/alicloud-keys.ts';
import type { AuthConfig } from '../../config/vault-config.ts';
import type { AuthContext, AuthMethod } from '../auth-method.ts';

type AlicloudConfig = Extract<AuthConfig, { method: 'alicloud' }>;

/** The only address that a mount takes. */
const endpoint = 'https://sts.aliyuncs.com/';

export function createAlicloudMethod(
  config: AlicloudConfig,
  { env, clock }: AuthContext,
  metadataAddress?: string,
): AuthMethod {
  return {
    async credentials(signal) {
      const { roleName } = config;
      const keys = config.keys ?? (await findAlicloudKeys({ env, signal, roleName, metadataAddress }));
      const url = signedUrl(keys, config.region, new Date(clock.wall()));
      const body = {
        role: config.role,
        identity_request_url: base64(url),
        identity_request_headers: base64(JSON.stringify({ Accept: ['application/json'] })),
      };
      return { kind: 'login', path: 'login', body };
    },
  };
}

/** Of a POST without a body, as Vault makes it: all that is signed is in the query. */
function signedUrl(keys: CloudKeys, region: string, now: Date): string {
  const query: Record<string, string> = {
    AccessKeyId: keys.id,
    Action: 'GetCallerIdentity',
    Format: 'JSON',
    RegionId: region,
    SignatureMethod: 'HMAC-SHA1',
    SignatureNonce: randomUUID(),
    SignatureVersion: '1.0',
    Timestamp: now.toISOString().replace(/\.\d{3}Z$/, 'Z'),
    Version: '2015-04-01',
    ...(keys.sessionToken === undefined ? {} : { SecurityToken: keys.sessionToken.text() }),
  };
  const canonical = Object.entries(query)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${encoded(key)}=${encoded(value)}`)
    .join('&');
  const signature = createHmac('sha1', `${keys.secret.text()}&`)
    .update(`POST&${encoded('/')}&${encoded(canonical)}`)
    .digest('base64');
  return `${endpoint}?${canonical}&Signature=${encoded(signature)}`;
}

/** RFC 3986: all but letters, digits and `-_.~`. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
