// The kinds of upstream by name; what a configuration does not use stays unloaded. To add a kind: a folder here whose main
// file exports a function from SourceOptions to SecretSource, its line below, and its place in src/config/upstreams/kinds.ts.
import { LatchkeyError } from '../base/errors.ts';
import type { UpstreamConfig, UpstreamKind } from '../config/upstreams/kinds.ts';
import type { SecretSource, SourceOptions } from './secret-source.ts';

type ConfigOf<K extends UpstreamKind> = Extract<UpstreamConfig, { kind: K }>;
type CreateSource<K extends UpstreamKind> = (options: SourceOptions<ConfigOf<K>>) => SecretSource;

const loaders: { readonly [K in UpstreamKind]: () => Promise<CreateSource<K>> } = {
  vault: async () => (await import('./vault/vault-upstream.ts')).createVaultUpstream,
  file: async () => (await import('./file/file-source.ts')).createFileSource,
  env: async () => (await import('./env/env-source.ts')).createEnvSource,
  exec: async () => (await import('./exec/exec-source.ts')).createExecSource,
  agent: async () => (await import('./agent/agent-source.ts')).createAgentSource,
  http: async () => (await import('./endpoint/endpoint-source.ts')).createEndpointSource,
  aws: async () => (await import('./aws/aws-source.ts')).createAwsSource,
  kubernetes: async () => (await import('./kubernetes/kubernetes-source.ts')).createKubernetesSource,
  gcp: async () => (await import('./gcp/gcp-source.ts')).createGcpSource,
  azure: async () => (await import('./azure/azure-source.ts')).createAzureSource,
  onepassword: async () => (await import('./onepassword/onepassword-source.ts')).createOnepasswordSource,
};

/** As the runtime's own table of modules: what is loaded stays loaded. */
const loaded = new Map<UpstreamKind, (options: SourceOptions<UpstreamConfig>) => SecretSource>();

/** To be awaited before `createSource` for these configs. */
export async function loadKinds(configs: readonly Pick<UpstreamConfig, 'kind'>[]): Promise<void> {
  const kinds = new Set(configs.map(({ kind }) => kind));
  await Promise.all(
    [...kinds].map(async (kind) => {
      // The table pairs each kind with its own config; the map cannot say so.
      if (!loaded.has(kind)) loaded.set(kind, (await loaders[kind]()) as CreateSource<UpstreamKind>);
    }),
  );
}

/** Nothing is connected before `start`. Whoever creates it closes it. */
export function createSource(options: SourceOptions<UpstreamConfig>): SecretSource {
  const { kind, name } = options.config;
  const create = loaded.get(kind);
  if (create === undefined)
    throw new LatchkeyError('internal', `upstream ${name}: kind ${kind} is not loaded`);
  return create(options);
}
