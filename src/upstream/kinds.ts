// Loads the kinds of upstream that a configuration names; the others stay unloaded. Their list is kind-list.ts.
import { LatchkeyError } from '../base/errors.ts';
import type { UpstreamConfig, UpstreamKind } from '../config/upstreams/kinds.ts';
import * as list from './kind-list.ts';
import type { SecretSource, SourceOptions } from './secret-source.ts';

type CreateSource<K extends UpstreamKind> = (
  options: SourceOptions<Extract<UpstreamConfig, { kind: K }>>,
) => SecretSource;

/** Each makes sources of its own config. */
const kinds: { readonly [K in UpstreamKind]: { load(): Promise<CreateSource<K>> } } = list;

/** As the runtime's own table of modules: what is loaded stays loaded. */
const loaded = new Map<UpstreamKind, (options: SourceOptions<UpstreamConfig>) => SecretSource>();

/** To be awaited before `createSource` for these configs. */
export async function loadKinds(configs: readonly Pick<UpstreamConfig, 'kind'>[]): Promise<void> {
  const named = new Set(configs.map(({ kind }) => kind));
  await Promise.all(
    [...named].map(async (kind) => {
      // The table pairs each kind with its own config; the map cannot say so.
      if (!loaded.has(kind)) loaded.set(kind, (await kinds[kind].load()) as CreateSource<UpstreamKind>);
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
