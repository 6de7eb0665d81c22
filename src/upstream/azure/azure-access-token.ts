// Access tokens for Key Vault: of an application by its secret or certificate, or of the host's managed identity.
import { createHash, X509Certificate } from 'node:crypto';
import { SecretValue } from '../../base/secret-value.ts';
import type { Environment, FaultOf } from '../../base/surroundings.ts';
import { JsonNumber, type JsonObject } from '../../base/text/json.ts';
import { type AzureSource, azureTokenAnswer } from '../cloud/azure-identity.ts';
import { readLoginFile } from '../cloud/login-file.ts';
import { metadataJson } from '../cloud/metadata-request.ts';
import { type AccessToken, loginFailed } from '../kind/bearer-calls.ts';
import type { AzureUpstreamConfig } from './azure-kind.ts';

/** National clouds have hosts of their own, and a resource of the same name. */
export async function azureAccessToken(
  config: AzureUpstreamConfig,
  { env, faultOf, signal }: Pick<AzureSource, 'env' | 'faultOf' | 'signal'>,
): Promise<AccessToken> {
  const resource = resourceOf(config.vault);
  const application = await credentialOf(config, env, faultOf);
  const own = config.clientId === undefined ? env : { ...env, AZURE_CLIENT_ID: config.clientId };
  return tokenOf(
    application === undefined
      ? await azureTokenAnswer(resource, { env: own, faultOf, signal })
      : await ofApplication(application, resource, config, env, signal),
  );
}

function resourceOf(vault: string): string {
  const [, domain] = /^[^.]+\.(vault\.[a-z.]+)$/.exec(new URL(vault).hostname) ?? [];
  return `https://${domain ?? 'vault.azure.net'}`;
}

async function credentialOf(
  config: AzureUpstreamConfig,
  env: Environment,
  faultOf: FaultOf | undefined,
): Promise<Record<string, string> | undefined> {
  const { clientSecretFile, clientCertificateFile } = config;
  if (clientSecretFile !== undefined)
    return { client_secret: (await readLoginFile(clientSecretFile, { faultOf })).replace(/\r?\n$/, '') };
  if (clientCertificateFile !== undefined) {
    const pem = await readLoginFile(clientCertificateFile, { faultOf });
    return await assertionOf(pem, clientCertificateFile, config, env);
  }
  const secret = env['AZURE_CLIENT_SECRET'];
  return secret ? { client_secret: secret } : undefined;
}

/** A JWT signed with the key of the certificate, as Microsoft Entra takes it. */
async function assertionOf(
  pem: string,
  path: string,
  config: AzureUpstreamConfig,
  env: Environment,
): Promise<Record<string, string>> {
  const certificate = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/.exec(pem)?.[0];
  const key = /-----BEGIN PRIVATE KEY-----[\s\S]+?-----END PRIVATE KEY-----/.exec(pem)?.[0];
  if (certificate === undefined || key === undefined)
    throw loginFailed(`${path}: expected a certificate and its key (PKCS #8) as PEM`);
  const { importPKCS8, SignJWT } = await import('jose');
  const thumbprint = createHash('sha256').update(new X509Certificate(certificate).raw).digest('base64url');
  const now = Math.floor(Date.now() / 1000);
  const clientId = config.clientId ?? '';
  const assertion = await new SignJWT({
    iss: clientId,
    sub: clientId,
    aud: tokenUrl(config, env),
    jti: crypto.randomUUID(),
    nbf: now,
    iat: now,
    exp: now + 600,
  })
    .setProtectedHeader({ alg: 'PS256', typ: 'JWT', 'x5t#S256': thumbprint })
    .sign(await importPKCS8(key, 'PS256'));
  return {
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  };
}

async function ofApplication(
  credential: Record<string, string>,
  resource: string,
  config: AzureUpstreamConfig,
  env: Environment,
  signal: AbortSignal,
): Promise<JsonObject> {
  const { clientId, tenantId } = config;
  if (clientId === undefined || tenantId === undefined) {
    throw loginFailed('a login as an application needs client_id and tenant_id', 'set them at this upstream');
  }
  return await metadataJson({
    service: 'Microsoft Entra',
    url: tokenUrl(config, env),
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      scope: `${resource}/.default`,
      ...credential,
    }).toString(),
    remedy: 'check client_id, tenant_id, and that the secret or certificate is not expired',
    signal,
  });
}

function tokenUrl({ tenantId }: AzureUpstreamConfig, env: Environment): string {
  const authority = (env['AZURE_AUTHORITY_HOST'] || 'https://login.microsoftonline.com').replace(/\/+$/, '');
  return `${authority}/${encodeURIComponent(tenantId ?? '')}/oauth2/v2.0/token`;
}

function tokenOf({ access_token: token, expires_in: life, expires_on: end }: JsonObject): AccessToken {
  if (typeof token !== 'string' || token === '') throw loginFailed('Azure answers without access_token');
  const seconds = numberOf(life) ?? (numberOf(end) ?? Date.now() / 1000 + 3600) - Date.now() / 1000;
  return { token: SecretValue.fromText(token), expiresAt: Date.now() + seconds * 1000 };
}

/** The identity endpoints write numbers as text. */
function numberOf(value: unknown): number | undefined {
  const text = value instanceof JsonNumber ? value.text : value;
  return typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : undefined;
}
