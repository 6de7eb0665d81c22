// Which kinds of upstream the configuration knows. To add a kind: its file here (`KIND.ts`: schema, type, resolver; an HTTP
// kind takes serverSchema and resolveServer too), its three lines below, its folder and line in src/upstream (kinds.ts
// there), a fixture for its contract (test/support/kinds), and a page in docs/guides/upstreams.
import * as z from 'zod/mini';
import type { Named } from '../item.ts';
import type { ResolveContext } from '../resolve/resolve-context.ts';
import { type AgentUpstreamConfig, agentSchema, resolveAgent } from './agent.ts';
import { type AwsUpstreamConfig, awsSchema, resolveAws } from './aws.ts';
import { type AzureUpstreamConfig, azureSchema, resolveAzure } from './azure.ts';
import { type EnvUpstreamConfig, envSchema, resolveEnv } from './env.ts';
import { type ExecUpstreamConfig, execSchema, resolveExec } from './exec.ts';
import { type FileUpstreamConfig, fileSchema, resolveFile } from './file.ts';
import { type GcpUpstreamConfig, gcpSchema, resolveGcp } from './gcp.ts';
import { type HttpUpstreamConfig, httpSchema, resolveHttp } from './http.ts';
import { type KubernetesUpstreamConfig, kubernetesSchema, resolveKubernetes } from './kubernetes.ts';
import { type OnepasswordUpstreamConfig, onepasswordSchema, resolveOnepassword } from './onepassword.ts';
import type { VaultUpstreamConfig } from './vault-config.ts';
import { resolveVault } from './vault-resolve.ts';
import { vaultSchema } from './vault-schema.ts';

export const upstreamSchema = z.discriminatedUnion(
  'kind',
  [
    vaultSchema,
    fileSchema,
    envSchema,
    execSchema,
    httpSchema,
    agentSchema,
    awsSchema,
    kubernetesSchema,
    gcpSchema,
    azureSchema,
    onepasswordSchema,
  ],
  'a map',
);

export type UpstreamInput = z.output<typeof upstreamSchema>;
export type UpstreamConfig =
  | VaultUpstreamConfig
  | FileUpstreamConfig
  | EnvUpstreamConfig
  | ExecUpstreamConfig
  | HttpUpstreamConfig
  | AgentUpstreamConfig
  | AwsUpstreamConfig
  | KubernetesUpstreamConfig
  | GcpUpstreamConfig
  | AzureUpstreamConfig
  | OnepasswordUpstreamConfig;
export type UpstreamKind = UpstreamConfig['kind'];

export function resolveUpstream(item: Named<UpstreamInput>, context: ResolveContext): UpstreamConfig {
  const { name, place, value } = item;
  switch (value.kind) {
    case undefined:
    case 'vault':
      return resolveVault({ name, place, value }, context);
    case 'file':
      return resolveFile({ name, place, value }, context);
    case 'env':
      return resolveEnv({ name, place, value });
    case 'exec':
      return resolveExec({ name, place, value }, context);
    case 'http':
      return resolveHttp({ name, place, value }, context);
    case 'agent':
      return resolveAgent({ name, place, value });
    case 'aws':
      return resolveAws({ name, place, value }, context);
    case 'kubernetes':
      return resolveKubernetes({ name, place, value }, context);
    case 'gcp':
      return resolveGcp({ name, place, value }, context);
    case 'azure':
      return resolveAzure({ name, place, value }, context);
    case 'onepassword':
      return resolveOnepassword({ name, place, value }, context);
  }
}

/** How often a static secret is asked for unless it says otherwise, by what asking costs there. */
export const defaultRefreshMs: Readonly<Record<UpstreamKind, number>> = {
  vault: 30_000,
  file: 30_000,
  env: 86_400_000,
  exec: 60_000,
  http: 60_000,
  agent: 5000,
  aws: 300_000,
  kubernetes: 30_000,
  gcp: 30_000,
  azure: 30_000,
  onepassword: 30_000,
};
