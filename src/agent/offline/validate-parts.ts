// What loading a config cannot tell: whether every template can be parsed and asks for what there is, and whether this host
// has what is named (host-problems.ts). Asks nobody.
import { existsSync } from 'node:fs';
import { describeError, LatchkeyError } from '../../base/errors.ts';
import { keyAt } from '../../base/text/key-at.ts';
import { createSystemClock } from '../../base/time/clock.ts';
import { type Locate, placedLine } from '../../config/places.ts';
import type { Path } from '../../config/problems.ts';
import type { ResolvedConfig } from '../../config/resolved.ts';
import { variableText } from '../../content/process-environment.ts';
import { type ResolveDependency, resolveSecret } from '../../content/resolve-dependency.ts';
import {
  createTemplateCompiler,
  type TemplateCompiler,
  templateNameOf,
} from '../../content/template-compiler.ts';
import type { ExecutableTemplate } from '../../content/template-consumer.ts';
import { loadTemplate } from '../../content/template-loader.ts';
import type { Dependency, LookupAnswer } from '../../template/exec/lookup.ts';
import { TemplateError } from '../../template/template-error.ts';
import { loadKinds } from '../../upstream/kinds.ts';
import { resolverOf } from '../template-rules.ts';
import { hostProblems } from './host-problems.ts';
import type { Wanted } from './validate-online.ts';

interface ValidateOptions {
  /** Of a config for another host, templates may be missing here. */
  readonly isElsewhere?: boolean;
  /** Told of all that secrets and templates ask for, as far as it does not hang on values. */
  readonly onWanted?: (wanted: Wanted) => void;
  /** Where it stands; absent: not told. */
  readonly locate?: Locate | undefined;
  /** What is right, and worth knowing. */
  readonly onWarning?: (message: string) => void;
}

/** One line for each problem; empty when there is none. */
export async function validateParts(
  config: ResolvedConfig,
  {
    isElsewhere = false,
    onWanted = () => undefined,
    onWarning = () => undefined,
    locate,
  }: ValidateOptions = {},
): Promise<string[]> {
  const compiler = createTemplateCompiler({
    templates: config.templates,
    // A look runs nobody's program.
    runsPlugins: false,
    env: process.env,
    clock: createSystemClock(),
    isStrict: true,
    onWarning: (message) => onWarning(placedWarning(message, config, locate)),
  });
  const resolve = resolverOf(config);
  for (const secret of config.secrets) {
    onWanted({ at: ['secrets', secret.name], reference: resolveSecret(secret).reference });
  }
  const outcomes = await Promise.allSettled([
    loadKinds(config.upstreams),
    ...compiledTemplates(config, compiler, isElsewhere).map((one) =>
      placed(one, locate, async () =>
        mustBeKnown(await one.compiled, one, (dependency) => resolve(dependency, one.upstream), onWanted),
      ),
    ),
  ]);
  return [
    ...outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? describeError(outcome.reason).split('\n') : [],
    ),
    ...(isElsewhere ? [] : hostProblems(config, locate)),
  ];
}

/** Rejects with the place of the config before each line, but where that names a place in a file of its own. */
async function placed(
  { at, path }: Pick<CompiledTemplate, 'at' | 'path'>,
  locate: Locate | undefined,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    const lines = withColumn(error).split('\n');
    const isPlaced = (line: string): boolean => path !== undefined && line.startsWith(`template: ${path}:`);
    const text = lines.map((line) => (isPlaced(line) ? line : placedLine(at, line, locate))).join('\n');
    throw new LatchkeyError('template_invalid', text);
  }
}

/** Of a template that stands in the config, with the place of it there. */
function placedWarning(message: string, config: ResolvedConfig, locate: Locate | undefined): string {
  const isAbout = (name: string): boolean => message.startsWith(`template: ${name}:`);
  const index = config.files.findIndex(
    (file) => file.source.kind === 'inline' && isAbout(templateNameOf(file)),
  );
  if (index >= 0) return placedLine(['files', index, 'contents'], message, locate);
  for (const { name, env } of config.processes) {
    const variable = Object.keys(env).find((one) => isAbout(`processes.${name}.env.${one}`));
    if (variable !== undefined) return placedLine(['processes', name, 'env', variable], message, locate);
  }
  return message;
}

/** Go tells the line alone of what cannot be parsed. */
function withColumn(error: unknown): string {
  const said = describeError(error);
  if (!(error instanceof TemplateError)) return said;
  const place = `template: ${error.templateName}:${error.line}:`;
  return said.startsWith(`${place} `) ? `${place}${error.column}:${said.slice(place.length)}` : said;
}

interface CompiledTemplate {
  readonly at: Path;
  readonly place: string;
  /** Of its own file. */
  readonly path?: string;
  /** The one that is meant where it names none. */
  readonly upstream: string | undefined;
  readonly compiled: Promise<ExecutableTemplate>;
}

function compiledTemplates(
  config: ResolvedConfig,
  compiler: TemplateCompiler,
  isElsewhere: boolean,
): CompiledTemplate[] {
  return [
    ...config.files.flatMap((file, index): CompiledTemplate[] => {
      const { source, upstream, place } = file;
      if (isElsewhere && source.kind === 'file' && !existsSync(source.path)) return [];
      const compiled = loadTemplate(file, compiler.compile);
      const common = { place: keyAt(place, 'template'), upstream, compiled };
      return source.kind === 'file'
        ? [{ ...common, at: ['files', index, 'template'], path: source.path }]
        : [{ ...common, at: ['files', index, 'contents'] }];
    }),
    ...config.processes.flatMap(({ name, env, upstream }) =>
      Object.entries(env).map(([variable, wish]) => {
        const place = `processes.${name}.env.${variable}`;
        const compiled = compiler.compileText({ name: place, ...variableText(wish) });
        return { at: ['processes', name, 'env', variable], place, upstream, compiled };
      }),
    ),
  ];
}

/**
 * Executed with nothing there yet, and with secrets that have no fields, for what stands within `with`: what it asks for then
 * is known to the config, or never will be.
 */
function mustBeKnown(
  template: ExecutableTemplate,
  { at, place }: Pick<CompiledTemplate, 'at' | 'place'>,
  resolve: (dependency: Dependency) => ReturnType<ResolveDependency>,
  onWanted: (wanted: Wanted) => void,
): void {
  const problems = new Set<string>();
  for (const answer of [pending, hollow]) {
    try {
      template.execute((dependency) => {
        const resolved = resolve(dependency);
        // Put together of a value that is not there: that is not what it will ask for.
        if (isMadeUp(dependency)) return pending;
        if ('problem' in resolved) problems.add(`${place}: ${resolved.problem}`);
        else onWanted({ at, place, reference: resolved.reference });
        return dependency.kind === 'list' ? pending : answer;
      });
    } catch (error) {
      // It cannot make anything of nothing: that is no fault of the template, but for what no value mends.
      const said = describeError(error);
      if (neverWorks.test(said)) problems.add(said);
    }
  }
  if (problems.size > 0) throw new LatchkeyError('template_invalid', [...problems].join('\n'));
}

const neverWorks = /: wrong number of args for /;

const pending: LookupAnswer = { status: 'pending' };
const hollow: LookupAnswer = {
  status: 'ready',
  secret: {
    requestId: '',
    leaseId: '',
    leaseDurationSeconds: 0,
    isRenewable: false,
    data: { data: {}, metadata: {} },
    warnings: null,
    auth: null,
    wrapInfo: null,
    fields: {},
  },
};

function isMadeUp({ path, parameters }: Dependency): boolean {
  return [path, ...Object.values(parameters)].some(
    (text) => text === '' || /<no value>|<nil>|%!|map\[/.test(text),
  );
}
