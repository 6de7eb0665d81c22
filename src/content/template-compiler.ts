// Binds the template engine to this host: environment, clock, the sandbox of `file` and `writeToFile`, and the limits and
// refusals of the config.

import { execFileSync } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { basename } from 'node:path';
import { LatchkeyError } from '../base/errors.ts';
import type { Environment } from '../base/surroundings.ts';
import { harmlessEnvironment } from '../base/system/harmless-environment.ts';
import type { Clock } from '../base/time/clock.ts';
import type { FileConfig, TemplateConfig } from '../config/resolved.ts';
import type { Host, WriteFileRequest } from '../template/exec/function-table.ts';
import type { Lookup } from '../template/exec/lookup.ts';
import type { TemplateWarning } from '../template/exec/state.ts';
import { absentSourceOf } from '../template/functions/consul-template/absent-sources.ts';
import { isRandomFunction } from '../template/functions.ts';
import { parseTemplate, type Template } from '../template/template.ts';
import { defaultRouteInterface } from './default-route.ts';
import { createSandbox, type Sandbox } from './sandbox.ts';
import type { ExecutableTemplate } from './template-consumer.ts';
import type { CompileTemplate } from './template-loader.ts';

interface CompilerOptions {
  readonly templates: TemplateConfig;
  readonly env: Environment;
  readonly clock: Clock;
  /**
   * What can never work with this config is an error at once, as who validates it wants: a run may not come by it. Executed is
   * then with secrets that are made up, and what lacks in those is no warning.
   */
  readonly isStrict?: boolean;
  /** False: a plugin that is allowed is not run all the same (default true). */
  readonly runsPlugins?: boolean;
  /** Told once for each place of a template that most likely is a mistake, when it is executed with all it asks for. */
  readonly onWarning?: (message: string) => void;
}

/** What a template that belongs to no file needs to be told. */
interface TextOptions {
  /** What errors begin with. */
  readonly name: string;
  readonly text: string | Buffer;
  readonly leftDelimiter?: string;
  readonly rightDelimiter?: string;
  readonly errorOnMissingKey?: boolean;
}

export interface TemplateCompiler {
  /** For files. */
  readonly compile: CompileTemplate;
  /** For anything else, such as an environment variable. Throws `template_invalid`. */
  compileText(options: TextOptions): Promise<ExecutableTemplate>;
}

// A plugin holds up the whole agent while it runs.
const pluginTimeoutMs = 5000;
const pluginOutputBytes = 1024 * 1024;

export function createTemplateCompiler(options: CompilerOptions): TemplateCompiler {
  const { templates, env, clock } = options;
  const sandbox = createSandbox(templates.sandboxPaths, templates.folder);

  async function compileText(wish: TextOptions): Promise<ExecutableTemplate> {
    const { name, text, leftDelimiter = '', rightDelimiter = '' } = wish;
    const template = await parseTemplate({ name, text, leftDelimiter, rightDelimiter });
    const denied = templates.deniedFunctions.find((one) => template.usedFunctions.has(one));
    if (denied !== undefined) {
      const { line, column } = template.placeOfUse(denied);
      throw new LatchkeyError(
        'template_invalid',
        `template: ${name}:${line}:${column}: the function ${denied} is denied by the config`,
        {
          remedy: 'take it out of the template, or out of `template.deny_functions`',
        },
      );
    }
    if (options.isStrict === true) {
      checkUses(template, templates);
      tellRandom(template);
    }
    const isMissingKeyError = wish.errorOnMissingKey ?? false;
    const told = new Set<string>();
    return {
      execute(lookup) {
        const { warnings, ...execution } = execute(template, lookup, isMissingKeyError);
        const isTrial = options.isStrict === true || execution.missing.length > 0;
        if (!isTrial) for (const warning of warnings) tell(name, warning, told);
        return execution;
      },
    };
  }

  function tellRandom(template: Template): void {
    for (const name of [...template.usedFunctions].filter(isRandomFunction)) {
      const message = `${name} gives another result at each execution: the file changes at each start and with each change of its secrets`;
      tell(template.name, { ...template.placeOfUse(name), message }, new Set());
    }
  }

  function tell(name: string, { line, column, message }: TemplateWarning, told: Set<string>): void {
    const place = `template: ${name}:${line}:${column}`;
    if (told.has(place)) return;
    told.add(place);
    options.onWarning?.(`${place}: ${message}`);
  }

  function execute(template: Template, lookup: Lookup, isMissingKeyError: boolean) {
    const writes: WriteFileRequest[] = [];
    const { output, missing, warnings } = template.execute({
      lookup,
      host: createHost(writes),
      isMissingKeyError,
      limits: { outputBytes: templates.maxOutputBytes },
    });
    return { output, missing, writes, warnings };
  }

  function createHost(writes: WriteFileRequest[]): Host {
    return {
      env: (name) => templates.env[name] ?? env[name],
      now: () => new Date(clock.wall()),
      readFile: (path) => sandbox.read(path),
      writeFile: (request) => writes.push(placed(request, sandbox)),
      networkInterfaces,
      defaultRouteInterface,
      ...(templates.allowPlugin && options.runsPlugins !== false ? { runPlugin } : {}),
    };
  }

  return {
    compileText,
    compile: (config, text) =>
      compileText({
        name: templateNameOf(config),
        text,
        leftDelimiter: config.leftDelimiter,
        rightDelimiter: config.rightDelimiter,
        errorOnMissingKey: config.errorOnMissingKey,
      }),
  };
}

/** Throws `template_invalid` with a line for each function that has no source or no permission, and each template that is nowhere. */
function checkUses(template: Template, config: TemplateConfig): void {
  const problems = [...template.usedFunctions].flatMap((name) => {
    const why = refusalOf(name, config);
    if (why === undefined) return [];
    const { line, column } = template.placeOfUse(name);
    return [`template: ${template.name}:${line}:${column}: ${name} ${why}`];
  });
  for (const { name, line, column } of template.undefinedTemplates) {
    const what = `template ${JSON.stringify(name)} is not defined in it`;
    problems.push(
      `template: ${template.name}:${line}:${column}: ${what}; define it there, or correct the name`,
    );
  }
  if (problems.length > 0) throw new LatchkeyError('template_invalid', problems.join('\n'));
}

function refusalOf(name: string, { allowPlugin, sandboxPaths }: TemplateConfig): string | undefined {
  const source = absentSourceOf(name);
  if (source !== undefined) return `asks ${source}, which is no source here; keep the value in a secret`;
  if (name === 'plugin' && !allowPlugin) return 'is not allowed; template.allow_plugin allows it';
  if ((name === 'file' || name === 'writeToFile') && sandboxPaths.length === 0) {
    return 'has no folder that it may use; name one in template.sandbox_paths';
  }
  return undefined;
}

/** Written with the file itself, in its transaction: here only the path is judged. */
function placed(request: WriteFileRequest, sandbox: Sandbox): WriteFileRequest {
  return { ...request, path: sandbox.allowWrite(request.path) };
}

export function templateNameOf(config: FileConfig): string {
  return config.source.kind === 'file' ? config.source.path : `${basename(config.destination)} (contents)`;
}

function runPlugin(command: string, args: readonly string[]): string {
  return execFileSync(command, [...args], {
    encoding: 'utf8',
    env: harmlessEnvironment(process.env),
    timeout: pluginTimeoutMs,
    maxBuffer: pluginOutputBytes,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}
