// Turns what a template asks for into a reference with its policy: names by the config's `secrets`, raw vault paths by
// the file's upstream. Asks nobody and opens nothing.
import { nearest } from '../base/text/nearest.ts';
import { splitQuery } from '../base/text/secret-path.ts';
import type { SecretConfig } from '../config/resolved.ts';
import { defaultEntryPolicy, type EntryPolicy } from '../store/entry.ts';
import { createReference, type Reference, referenceKey } from '../store/reference.ts';
import type { Dependency } from '../template/exec/lookup.ts';

export interface ResolvedDependency {
  readonly key: string;
  readonly reference: Reference;
  readonly policy: EntryPolicy;
}

/** Why a dependency can never be answered with this config. */
interface UnresolvedDependency {
  readonly problem: string;
}

/** `upstream` is what raw paths mean in the template that asks; undefined: the default. */
export type ResolveDependency = (
  dependency: Dependency,
  upstream: string | undefined,
) => ResolvedDependency | UnresolvedDependency;

interface ResolverOptions {
  readonly secrets: readonly SecretConfig[];
  /** How often what is asked for by a path is asked for, where it has no lease. */
  readonly refreshMs?: number;
  /** What raw paths mean where a file names no upstream; undefined: such a path is a problem that is told. */
  readonly defaultUpstream: string | undefined;
}

/** A raw path that means the same reference as a configured secret follows that secret's policy. */
export function createDependencyResolver(options: ResolverOptions): ResolveDependency {
  const policy: EntryPolicy = {
    ...defaultEntryPolicy,
    refreshMs: options.refreshMs ?? defaultEntryPolicy.refreshMs,
  };
  const byName = new Map<string, ResolvedDependency>();
  const byKey = new Map<string, ResolvedDependency>();
  for (const secret of options.secrets) {
    const resolved = resolveSecret(secret);
    byName.set(secret.name, resolved);
    byKey.set(resolved.key, resolved);
  }
  return (dependency, upstream) => {
    if (dependency.kind === 'name') {
      const named = byName.get(dependency.path);
      return named ?? { problem: unknownName(dependency.path, byName.keys()) };
    }
    const chosen = upstream ?? options.defaultUpstream;
    if (chosen === undefined) {
      return { problem: `${dependency.path}: which upstream is meant? name it in the file's \`upstream\`` };
    }
    const reference = createReference({
      upstream: chosen,
      path: dependency.path,
      operation: dependency.kind,
      parameters: dependency.parameters,
      shownParameters: dependency.shownParameters,
    });
    const key = referenceKey(reference);
    return byKey.get(key) ?? { key, reference, policy };
  };
}

function unknownName(name: string, known: Iterable<string>): string {
  const near = nearest(name, [...known]);
  const guess = near === undefined ? '' : `; did you mean ${near}?`;
  return `no secret named ${JSON.stringify(name)} in \`secrets\`${guess}`;
}

/** The reference and policy of a configured secret, for whoever opens it by name. */
export function resolveSecret(secret: SecretConfig): ResolvedDependency {
  const { path, parameters } =
    secret.isPathLiteral === true ? { path: secret.path, parameters: {} } : splitQuery(secret.path);
  const reference = createReference({
    upstream: secret.upstream,
    path,
    operation: secret.operation,
    parameters: { ...parameters, ...secret.parameters },
    ...(secret.operation === 'write' ? { shownParameters: Object.keys(secret.parameters) } : {}),
  });
  const policy: EntryPolicy = {
    refreshMs: secret.refreshMs,
    ...(secret.statedRefreshMs === undefined ? {} : { statedRefreshMs: secret.statedRefreshMs }),
    ...(secret.maxStaleMs === undefined ? {} : { maxStaleMs: secret.maxStaleMs }),
    onStale: secret.onStale,
    onRemoved: secret.onRemoved,
    onDenied: secret.onDenied,
    overlapMs: secret.overlapMs,
    onExit: secret.onExit,
  };
  return { key: referenceKey(reference), reference, policy };
}
