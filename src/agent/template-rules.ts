// What templates mean by the config in force: what their names and paths stand for, and by which rules they are parsed.
import type { Surroundings } from '../base/surroundings.ts';
import type { ResolvedConfig } from '../config/resolved.ts';
import { createDependencyResolver, type ResolveDependency } from '../content/resolve-dependency.ts';
import { createTemplateCompiler, type TemplateCompiler } from '../content/template-compiler.ts';

export interface TemplateRules {
  readonly resolve: ResolveDependency;
  /** By the `templates` in force. */
  compiler(): TemplateCompiler;
  compilerOf(config: Pick<ResolvedConfig, 'templates'>): TemplateCompiler;
  setCompiler(next: TemplateCompiler): void;
  /** Names and paths mean something else from now on. */
  setResolver(config: ResolvedConfig): void;
}

export function createTemplateRules(
  config: ResolvedConfig,
  { env, clock, logger }: Surroundings,
  onWarning: ((message: string) => void) | undefined,
): TemplateRules {
  const compilerOf = ({ templates }: Pick<ResolvedConfig, 'templates'>): TemplateCompiler =>
    createTemplateCompiler({
      ...{ templates, env, clock },
      onWarning(message) {
        logger.warn({ event: 'template.warned' }, message);
        onWarning?.(message);
      },
    });
  let compiler = compilerOf(config);
  let resolver = resolverOf(config);
  return {
    resolve: (dependency, upstream) => resolver(dependency, upstream),
    compiler: () => compiler,
    compilerOf,
    setCompiler(next) {
      compiler = next;
    },
    setResolver(next) {
      resolver = resolverOf(next);
    },
  };
}

export function resolverOf({ upstreams, secrets, templates }: ResolvedConfig): ResolveDependency {
  const [only, ...others] = upstreams;
  const { refreshMs } = templates;
  return createDependencyResolver({
    ...{ secrets, refreshMs },
    defaultUpstream: others.length === 0 ? only?.name : undefined,
  });
}
