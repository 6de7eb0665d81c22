// Method `azure`: a token of the managed identity, and where this host is, as far as the metadata service tells.
import type { JsonObject } from '../../../../base/text/json.ts';
import { azureInstance, azureToken } from '../../../cloud/azure-identity.ts';
import type { AuthConfig } from '../../config/vault-config.ts';
import type { AuthContext, AuthMethod } from '../auth-method.ts';

type AzureConfig = Extract<AuthConfig, { method: 'azure' }>;

export function createAzureMethod(config: AzureConfig, context: AuthContext): AuthMethod {
  return {
    async credentials(signal) {
      const { clientId, objectId, scope } = config;
      const { env, faultOf } = context;
      const source = { env, faultOf, signal, clientId, objectId, scope };
      const jwt = await azureToken(config.resource, source);
      const instance = await azureInstance(source);
      const body: JsonObject = { role: config.role, jwt: jwt.text(), ...instance };
      return { kind: 'login', path: 'login', body };
    },
  };
}
