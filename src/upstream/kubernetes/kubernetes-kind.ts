// Secrets of Kubernetes as an upstream: the keys of `kind: kubernetes`, and what they mean resolved.
import * as z from 'zod/mini';
import type { Named } from '../../config/item.ts';
import { doc, flag, section, text } from '../../config/schema/fields.ts';
import type { KindContext } from '../../config/upstreams/kind-context.ts';
import { resolveServer } from '../../config/upstreams/server-resolve.ts';
import { serverSchema } from '../../config/upstreams/server-schema.ts';
import { parseSecretPath } from './kubernetes-path.ts';

const kubernetesSchema = section({
  kind: doc(z.literal('kubernetes'), 'Secrets of a Kubernetes cluster.'),
  kubeconfig: doc(
    z.optional(text()),
    'A kubeconfig file; default: the service account of this pod, else `$KUBECONFIG`.',
  ),
  context: doc(z.optional(text()), 'Its context; default: the current one.'),
  namespace: doc(z.optional(text()), 'Of paths without one; default: that of the pod or the context.'),
  watch: doc(z.prefault(flag(), true), 'Watch each secret that is used; polling goes on.'),
  ...serverSchema,
});

export type KubernetesUpstreamConfig = ReturnType<typeof resolveKubernetes>;

function resolveKubernetes(
  { name, place, value }: Named<z.output<typeof kubernetesSchema>>,
  context: KindContext,
) {
  return {
    name,
    kind: 'kubernetes' as const,
    kubeconfigFile:
      context.optionalPathAt(place, value.kubeconfig) ?? (context.env['KUBECONFIG'] || undefined),
    context: value.context,
    namespace: value.namespace,
    isWatched: value.watch,
    ...resolveServer(value, place, context),
  };
}

export const kubernetes = {
  schema: kubernetesSchema,
  resolve: resolveKubernetes,
  refreshMs: 30_000,
  /** Without a namespace of the config it is the pod's, which is well formed. */
  checkPath: (path: string, { namespace = 'default' }: KubernetesUpstreamConfig) =>
    parseSecretPath(path, namespace),
  load: async () => (await import('./kubernetes-source.ts')).createKubernetesSource,
};
