// Which type of mount is made by what; a new engine or auth method is one line here.
import { createAppRole } from './auth/approle.ts';
import { createAws } from './auth/aws.ts';
import { createAzure } from './auth/azure.ts';
import { createCert } from './auth/cert.ts';
import { createGcp } from './auth/gcp.ts';
import { createJwt } from './auth/jwt.ts';
import { createKubernetes } from './auth/kubernetes.ts';
import { createTokenAuth } from './auth/token.ts';
import { createLdap, createUserpass } from './auth/userpass.ts';
import type { BackendFactory } from './backend.ts';
import type { Core } from './core.ts';
import { createCubbyhole } from './engines/cubbyhole.ts';
import { createDatabase } from './engines/database.ts';
import { createKv1 } from './engines/kv1.ts';
import { createKv2 } from './engines/kv2.ts';
import { createPki } from './engines/pki.ts';
import { createSystem } from './sys/system.ts';

export function backendCatalog(core: Core): ReadonlyMap<string, BackendFactory> {
  const kv: BackendFactory = (context) =>
    context.mount.options?.['version'] === '2' ? createKv2(context) : createKv1(context);
  return new Map<string, BackendFactory>([
    ['secret:system', (context) => createSystem(core, context)],
    ['secret:cubbyhole', createCubbyhole],
    ['secret:kv', kv],
    ['secret:generic', kv],
    ['secret:database', createDatabase],
    ['secret:pki', createPki],
    ['auth:token', (context) => createTokenAuth(core, context)],
    ['auth:approle', createAppRole],
    ['auth:userpass', createUserpass],
    ['auth:ldap', createLdap],
    ['auth:jwt', createJwt],
    ['auth:oidc', createJwt],
    ['auth:kubernetes', createKubernetes],
    ['auth:cert', createCert],
    ['auth:aws', createAws],
    ['auth:gcp', createGcp],
    ['auth:azure', createAzure],
  ]);
}
