// What the configuration knows of the kinds of upstream: each declares itself in its folder of src/upstream, and
// kind-list.ts there has a line for each.
import * as z from 'zod/mini';
import { describeError, LatchkeyError } from '../../base/errors.ts';
import * as list from '../../upstream/kind-list.ts';
import type { Named } from '../item.ts';
import type { ResolveContext } from '../resolve/resolve-context.ts';

/** `KIND-kind.ts` of a kind's folder exports one under the kind's name. */
interface KindDeclaration {
  /** A section of the keys whose `kind` is the literal of its name. */
  readonly schema: (typeof list)[UpstreamKind]['schema'];
  /** What they mean, whole: durations in milliseconds, paths absolute, defaults filled in. */
  resolve(item: Named<never>, context: ResolveContext): UpstreamConfig;
  /** How often a static secret is asked for unless it says otherwise, by what asking costs there. */
  readonly refreshMs: number;
  /** The same where it hangs on the config; undefined: `refreshMs`. */
  refreshOf?(config: never): number | undefined;
  /** Throws a LatchkeyError for a path that can mean no secret of it; absent: any may. `parameters` are those of the secret. */
  checkPath?(path: string, config: never, parameters: Readonly<Record<string, string>>): unknown;
  /** Its secrets may be what a write answers. */
  readonly takesWrites?: boolean;
  /** What makes a source of its config; loaded when a config names the kind. */
  load(): Promise<unknown>;
  /** The program that it runs, which nobody else may be able to change. */
  commandOf?(config: never): readonly string[];
  /** Whether asking it may make a secret, so that nobody asks to see whether it answers. */
  mayMint?(config: never): boolean;
  /** Whether others may read this file of its config. */
  isForOthers?(config: never, path: string): boolean;
}

export type UpstreamKind = keyof typeof list;
export type UpstreamConfig = ReturnType<(typeof list)[UpstreamKind]['resolve']>;

const kinds: Readonly<Record<UpstreamKind, KindDeclaration>> = list;
/** What is meant where a config does not say. */
const defaultKind: UpstreamKind = 'vault';

type Schemas = readonly [KindDeclaration['schema'], ...KindDeclaration['schema'][]];
export const upstreamSchema = z.discriminatedUnion(
  'kind',
  // It comes first on the reference page.
  [kinds[defaultKind], ...Object.values(kinds).filter((kind) => kind !== kinds[defaultKind])].map(
    ({ schema }) => schema,
  ) as unknown as Schemas,
  'a map',
);

export type UpstreamInput = z.output<typeof upstreamSchema>;

export function resolveUpstream(item: Named<UpstreamInput>, context: ResolveContext): UpstreamConfig {
  // The union has checked that these are the keys of this kind.
  return kinds[item.value.kind ?? defaultKind].resolve(item as Named<never>, context);
}

export function commandOf(config: UpstreamConfig): readonly string[] | undefined {
  return kinds[config.kind].commandOf?.(config as never);
}

/** What is wrong with a path of a secret, without asking anybody; undefined: nothing that can be told. */
export function pathFault(
  config: UpstreamConfig,
  path: string,
  parameters: Readonly<Record<string, string>>,
): string | undefined {
  try {
    kinds[config.kind].checkPath?.(path, config as never, parameters);
    return undefined;
  } catch (error) {
    if (error instanceof LatchkeyError) return describeError(error);
    throw error;
  }
}

export function takesWrites({ kind }: UpstreamConfig): boolean {
  return kinds[kind].takesWrites === true;
}

export function mayMint(config: UpstreamConfig): boolean {
  return kinds[config.kind].mayMint?.(config as never) === true;
}

export function isForOthers(config: UpstreamConfig, path: string): boolean {
  return kinds[config.kind].isForOthers?.(config as never, path) === true;
}

/** `config` undefined: there is no such upstream, which is told elsewhere. */
export function defaultRefreshMs(config: UpstreamConfig | undefined): number {
  const kind = kinds[config?.kind ?? defaultKind];
  return (config && kind.refreshOf?.(config as never)) ?? kind.refreshMs;
}
