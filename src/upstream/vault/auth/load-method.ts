// Loads the one auth method that the config names, with the watch on its files; the others, and what they need, stay unloaded.

import { createFileWatch } from '../../../base/paths/file-watch.ts';
import type { TlsConfig } from '../../../config/upstreams/server-config.ts';
import type { AuthConfig } from '../config/vault-config.ts';
import type { AuthContext, AuthMethod } from './auth-method.ts';

/** A file is often written in several steps, its mode and owner set after it: half of a credential would be refused. */
const deliveryMs = 200;

export async function loadAuthMethod(
  config: AuthConfig,
  tls: TlsConfig,
  context: AuthContext,
): Promise<AuthMethod> {
  const method = await createMethod(config, tls, context);
  const { files = [] } = method;
  if (files.length === 0) return method;
  const isReplacement = method.isReplacedOnChange ?? false;
  const watch = createFileWatch({
    logger: context.logger,
    quietMs: deliveryMs,
    onChange: () => context.onCredentials({ isReplacement }),
  });
  await watch.set(files);
  return {
    ...method,
    async close() {
      watch.close();
    },
  };
}

async function createMethod(config: AuthConfig, tls: TlsConfig, context: AuthContext): Promise<AuthMethod> {
  switch (config.method) {
    case 'none':
      return (await import('./none.ts')).createNoMethod();
    case 'token':
      return (await import('./token.ts')).createTokenMethod(config, context);
    case 'token_file':
      return (await import('./token-file.ts')).createTokenFileMethod(config, context);
    case 'approle':
      return (await import('./approle.ts')).createAppRoleMethod(config, context);
    case 'jwt':
    case 'kubernetes':
      return (await import('./jwt.ts')).createJwtMethod(config, context);
    case 'cert':
      return (await import('./cert.ts')).createCertMethod(config, tls);
    case 'userpass':
    case 'ldap':
      return (await import('./password.ts')).createPasswordMethod(config, context);
    case 'aws':
      return (await import('./signed/aws.ts')).createAwsMethod(config, context);
    case 'alicloud':
      return (await import('./signed/alicloud.ts')).createAlicloudMethod(config, context);
    case 'oci':
      return (await import('./signed/oci.ts')).createOciMethod(config, context);
    case 'kerberos':
      return (await import('./kerberos/kerberos.ts')).createKerberosMethod(config, context);
    case 'cf':
      return (await import('./signed/cf.ts')).createCfMethod(config, context);
    case 'gcp':
      return (await import('./signed/gcp.ts')).createGcpMethod(config, context);
    case 'azure':
      return (await import('./signed/azure.ts')).createAzureMethod(config, context);
  }
}
