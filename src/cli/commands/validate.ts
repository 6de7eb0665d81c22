// `latchkey validate`: the config and every template, all problems at once, nothing asked of any upstream.
import { validateParts } from '../../agent/validate.ts';
import { describeError, errorCode } from '../../base/errors.ts';
import { loadConfig } from '../../config/load.ts';
import type { ResolvedConfig } from '../../config/resolved.ts';
import { printJson, say } from '../output.ts';

interface ValidateOptions {
  config?: string[] | undefined;
  json: boolean;
  /** For a config that is meant for another host. */
  syntaxOnly: boolean;
}

export async function runValidate(options: ValidateOptions): Promise<number> {
  const { summary, problems, warnings } = await validate(options);
  if (options.json) printJson({ valid: problems.length === 0, problems, warnings });
  for (const problem of problems) say(problem);
  for (const warning of warnings) say(`warning: ${warning}`);
  if (problems.length > 0) return 2;
  say(`valid: ${summary}`);
  return 0;
}

interface Verdict {
  summary: string;
  problems: string[];
  warnings: readonly string[];
}

async function validate(options: ValidateOptions): Promise<Verdict> {
  const { syntaxOnly } = options;
  let config: ResolvedConfig;
  try {
    config = loadConfig(options.config ?? [], { checks: syntaxOnly ? 'text' : 'host' });
  } catch (error) {
    if (errorCode(error) !== 'config_invalid') throw error;
    const problems = describeError(error).split('\n');
    return {
      summary: '',
      problems: [...problems, ...(await laterProblems(options, problems))],
      warnings: [],
    };
  }
  const parts = ['upstreams', 'secrets', 'files', 'processes', 'listeners'] as const;
  const summary = parts.map((part) => `${config[part].length} ${part}`).join(', ');
  const problems = await validateParts(config, { isElsewhere: syntaxOnly });
  return { summary, problems, warnings: config.warnings };
}

/** What stands behind the first problems: they hide nothing that can be told in spite of them. */
async function laterProblems(options: ValidateOptions, before: readonly string[]): Promise<string[]> {
  try {
    const config = loadConfig(options.config ?? [], { checks: 'none' });
    const later = await validateParts(config, { isElsewhere: options.syntaxOnly });
    return later.filter((problem) => !before.includes(problem));
  } catch {
    return []; // too broken to be looked at any further
  }
}
