// `latchkey validate`: the config and every template, all problems at once. Only with `--online` an upstream is asked.

import { type UpstreamVerdict, validateOnline, type Wanted } from '../../agent/offline/validate-online.ts';
import { validateParts } from '../../agent/offline/validate-parts.ts';
import { errorCodes } from '../../api/error-codes.ts';
import { describeError, errorCode, LatchkeyError } from '../../base/errors.ts';
import { createLogger } from '../../base/logger.ts';
import { loadConfig } from '../../config/load.ts';
import type { Locate } from '../../config/places.ts';
import type { ResolvedConfig } from '../../config/resolved.ts';
import { printJson, printText, say } from '../output.ts';
import { timeoutSignal } from '../timeout-option.ts';

interface ValidateOptions {
  config?: string[] | undefined;
  json: boolean;
  /** For a config that is meant for another host. */
  syntaxOnly: boolean;
  online: boolean;
  timeout: string;
}

/** 2: the config has a fault; then no upstream is asked. 1: an upstream does not give it all. */
export async function runValidate(options: ValidateOptions): Promise<number> {
  if (options.online && options.syntaxOnly) {
    throw new LatchkeyError('usage', 'validate: --online and --syntax-only exclude each other');
  }
  const verdict = await validate(options);
  const { summary, problems, warnings } = verdict;
  const asked = options.online && problems.length === 0 ? await askUpstreams(verdict, options) : [];
  const isValid = problems.length === 0 && asked.every(({ code }) => code === undefined);
  if (options.json) {
    const upstreams = asked.map(({ code, policy, ...rest }) => ({
      ...rest,
      policy: policy ?? null,
      code: code ?? null,
    }));
    printJson({ valid: isValid, problems, warnings, ...(options.online ? { upstreams } : {}) });
  }
  for (const problem of problems) say(problem);
  for (const warning of warnings) say(`warning: ${warning}`);
  sayOnline(asked, options);
  if (problems.length > 0) return 2;
  if (isValid) say(`valid: ${summary}`);
  return worst(asked);
}

function sayOnline(asked: readonly UpstreamVerdict[], { json }: ValidateOptions): void {
  for (const { problems, notes } of asked) {
    for (const problem of problems) say(problem);
    for (const note of notes) say(`note: ${note}`);
  }
  for (const { upstream, policy } of asked) {
    if (policy === undefined) continue;
    say(`add to a policy of the login of ${upstream}:`);
    if (!json) printText(policy);
  }
}

/** What is away or refuses the login comes first: nothing is known of the rest. */
function worst(asked: readonly UpstreamVerdict[]): number {
  const exits = asked.flatMap(({ code }) => (code === undefined ? [] : [errorCodes[code].exit]));
  return [5, 1, 3].find((exit) => exits.includes(exit)) ?? exits[0] ?? 0;
}

interface Verdict {
  locate: Locate | undefined;
  summary: string;
  problems: string[];
  warnings: readonly string[];
  config: ResolvedConfig | undefined;
  wanted: readonly Wanted[];
}

async function askUpstreams(
  { config, wanted, locate }: Verdict,
  { timeout }: ValidateOptions,
): Promise<UpstreamVerdict[]> {
  if (config === undefined) return [];
  // What goes wrong is told below, once.
  const log = createLogger({ level: 'silent', format: 'text' });
  const signal = timeoutSignal(timeout);
  return await validateOnline({ config, wanted, locate, logger: log.logger, env: process.env, signal });
}

const parts = [
  ['upstreams', 'upstream'],
  ['secrets', 'secret'],
  ['files', 'file'],
  ['processes', 'process'],
  ['listeners', 'listener'],
] as const;

async function validate(options: ValidateOptions): Promise<Verdict> {
  const { syntaxOnly } = options;
  let config: ResolvedConfig;
  let locate: Locate | undefined;
  const onLocated = (known: Locate): void => {
    locate = known;
  };
  try {
    config = loadConfig(options.config ?? [], { checks: syntaxOnly ? 'text' : 'host', onLocated });
  } catch (error) {
    if (errorCode(error) !== 'config_invalid') throw error;
    const problems = describeError(error).split('\n');
    return {
      locate: undefined,
      summary: '',
      problems: [...problems, ...(await laterProblems(options, problems))],
      warnings: [],
      config: undefined,
      wanted: [],
    };
  }
  const summary = parts
    .map(([part, one]) => `${config[part].length} ${config[part].length === 1 ? one : part}`)
    .join(', ');
  const wanted: Wanted[] = [];
  const warnings = [...config.warnings];
  const problems = await validateParts(config, {
    isElsewhere: syntaxOnly,
    locate,
    onWanted: (one) => wanted.push(one),
    onWarning: (message) => warnings.push(message),
  });
  return { locate, summary, problems, warnings, config, wanted };
}

/** What stands behind the first problems: they hide nothing that can be told in spite of them. */
async function laterProblems(options: ValidateOptions, before: readonly string[]): Promise<string[]> {
  try {
    let locate: Locate | undefined;
    const onLocated = (known: Locate): void => {
      locate = known;
    };
    const config = loadConfig(options.config ?? [], { checks: 'none', isTolerant: true, onLocated });
    const later = await validateParts(config, { isElsewhere: options.syntaxOnly, locate });
    const told = new Set(before.map(subjectOf));
    return later.filter((problem) => !told.has(subjectOf(problem)));
  } catch {
    return []; // too broken to be looked at any further
  }
}

/** `/etc/latchkey/latchkey.yaml:12:5: files[0].template`: what is wrong with it in one way is told once. */
function subjectOf(problem: string): string {
  return /^.*?:\d+:\d+: [^ ]+(?=: )/.exec(problem)?.[0] ?? problem;
}
