// Azure identities: workload identity, the identity endpoint of App Service or Azure Arc, or the metadata service of a virtual machine.

import { errorCode, LatchkeyError } from '../../base/errors.ts';
import { SecretValue } from '../../base/secret-value.ts';
import type { Environment, FaultOf } from '../../base/surroundings.ts';
import { isJsonObject, type JsonObject } from '../../base/text/json.ts';
import { arcRequest } from './azure-arc.ts';
import { readLoginFile } from './login-file.ts';
import { type MetadataRequest, metadataJson } from './metadata-request.ts';

export interface AzureSource {
  /** `AZURE_CLIENT_ID` chooses among several identities. */
  readonly env: Environment;
  readonly signal: AbortSignal;
  readonly faultOf?: FaultOf | undefined;
  /** Undefined: `$AZURE_CLIENT_ID`. */
  readonly clientId?: string | undefined;
  readonly objectId?: string | undefined;
  /** Of a token of Entra; undefined: `.default` of the resource. */
  readonly scope?: string | undefined;
  /** Where Azure Arc's agent keeps its keys; default: where it does. */
  readonly arcFolder?: string;
}

const remedy = 'give the host a managed identity, and set AZURE_CLIENT_ID where it has several';

/** An access token for `resource` (`https://vault.hashicorp.com`). Throws `login_failed`. */
export async function azureToken(resource: string, source: AzureSource): Promise<SecretValue> {
  const token = (await azureTokenAnswer(resource, source))['access_token'];
  if (typeof token === 'string' && token !== '') return SecretValue.fromText(token);
  throw new LatchkeyError('login_failed', 'Azure answers without access_token', { remedy });
}

/** The same with all that Azure tells of it: its end above all. */
export async function azureTokenAnswer(resource: string, source: AzureSource): Promise<JsonObject> {
  return await metadataJson(
    (await entraRequest(resource, source)) ?? (await identityRequest(resource, source)),
  );
}

/** Subscription, resource group and machine for Vault's login; empty where there is no metadata service (containers). */
export async function azureInstance(source: AzureSource): Promise<JsonObject> {
  const { env, signal } = source;
  if (env['IDENTITY_ENDPOINT'] || env['AZURE_FEDERATED_TOKEN_FILE']) return {};
  const url = `${metadataHost(env)}/metadata/instance?api-version=2021-02-01`;
  let answer: JsonObject;
  try {
    answer = await metadataJson({
      service: metadataService,
      url,
      headers: { metadata: 'true' },
      remedy,
      signal,
    });
  } catch (error) {
    if (errorCode(error) === 'login_failed') return {};
    throw error;
  }
  const compute = answer['compute'];
  if (!isJsonObject(compute)) return {};
  const fields = {
    subscription_id: compute['subscriptionId'],
    resource_group_name: compute['resourceGroupName'],
    vm_name: compute['name'],
    vmss_name: compute['vmScaleSetName'],
  };
  return Object.fromEntries(
    Object.entries(fields).filter(
      (pair): pair is [string, string] => typeof pair[1] === 'string' && pair[1] !== '',
    ),
  );
}

const metadataService = 'the Azure metadata service';

function metadataHost(env: Environment): string {
  return (env['AZURE_POD_IDENTITY_AUTHORITY_HOST'] ?? 'http://169.254.169.254').replace(/\/+$/, '');
}

async function identityRequest(resource: string, source: AzureSource): Promise<MetadataRequest> {
  const { env, signal } = source;
  const clientId = source.clientId || env['AZURE_CLIENT_ID'];
  const chosen = chosenBy(source.objectId, clientId);
  const endpoint = env['IDENTITY_ENDPOINT'];
  const header = env['IDENTITY_HEADER'];
  if (endpoint && header) {
    const query = new URLSearchParams({ 'api-version': '2019-08-01', resource, ...chosen });
    const headers = { 'x-identity-header': header };
    return {
      service: 'the identity endpoint of Azure',
      url: `${endpoint}?${query}`,
      headers,
      remedy,
      signal,
    };
  }
  if (endpoint && env['IMDS_ENDPOINT']) return await arcRequest(endpoint, resource, source);
  const query = new URLSearchParams({ 'api-version': '2018-02-01', resource, ...chosen });
  const url = `${metadataHost(env)}/metadata/identity/oauth2/token?${query}`;
  return { service: metadataService, url, headers: { metadata: 'true' }, remedy, signal };
}

function chosenBy(objectId: string | undefined, clientId: string | undefined): Record<string, string> {
  if (objectId) return { object_id: objectId };
  return clientId ? { client_id: clientId } : {};
}

/** An application of Entra: by the token of a workload, else by a secret of its own. */
async function entraRequest(resource: string, source: AzureSource): Promise<MetadataRequest | undefined> {
  const { env, signal } = source;
  const clientId = source.clientId || env['AZURE_CLIENT_ID'];
  const tenant = env['AZURE_TENANT_ID'];
  if (!tenant || !clientId) return undefined;
  const proof = await applicationProof(source);
  if (proof === undefined) return undefined;
  const authority = (env['AZURE_AUTHORITY_HOST'] ?? 'https://login.microsoftonline.com').replace(/\/+$/, '');
  return {
    service: 'Microsoft Entra',
    url: `${authority}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`,
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      client_id: clientId,
      scope: source.scope || `${resource.replace(/\/+$/, '')}/.default`,
      grant_type: 'client_credentials',
      ...proof,
    }).toString(),
    remedy: 'check AZURE_CLIENT_ID, AZURE_TENANT_ID and the credential of the application',
    signal,
  };
}

async function applicationProof({ env, faultOf }: AzureSource): Promise<Record<string, string> | undefined> {
  const secret = env['AZURE_CLIENT_SECRET'];
  if (secret) return { client_secret: secret };
  const path = env['AZURE_FEDERATED_TOKEN_FILE'];
  if (!path) return undefined;
  const what = `$AZURE_FEDERATED_TOKEN_FILE: ${path}`;
  return {
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: (await readLoginFile(path, { what, remedy, faultOf })).trim(),
  };
}
