// The files of other tools: which tool's they are, and what they say in the shape of latchkey.yaml.

import type { Environment } from '../../base/surroundings.ts';
import type { Problems } from '../problems.ts';
import { draftAwsAgent } from './aws-agent/draft-aws-agent.ts';
import { readAwsAgent } from './aws-agent/read-aws-agent.ts';
import { draftConsulTemplate } from './consul-template/draft-consul-template.ts';
import { mergeConsulTemplates } from './consul-template/merge-consul-templates.ts';
import { readConsulTemplate } from './consul-template/read-consul-template.ts';
import { createDraft, type DraftContext } from './draft.ts';
import { draftEnvconsul } from './envconsul/draft-envconsul.ts';
import { mergeEnvconsuls } from './envconsul/merge-envconsuls.ts';
import { readEnvconsul } from './envconsul/read-envconsul.ts';
import { HclError, type HclObject } from './hcl/node.ts';
import { parseHcl } from './hcl/parse.ts';
import { describePlaceholder, placeholdersIn } from './hcl/placeholder.ts';
import { type Note, type Report, wholeFile } from './hcl/report.ts';
import type { ConfigSource } from './read-source.ts';
import { draftAgent } from './vault-agent/draft-agent.ts';
import { checkAgent, mergeAgents } from './vault-agent/merge-agents.ts';
import { readAgent } from './vault-agent/read-agent.ts';

export type Tool = 'vault-agent' | 'consul-template' | 'envconsul' | 'aws-agent';

export interface TextFile {
  readonly file: string;
  readonly text: string;
}

export interface ForeignOptions {
  readonly env: Environment;
  /** Undefined: found out by their keys. */
  readonly tool?: Tool | undefined;
  /** Where relative paths start: the folder that the tool would be started in. */
  readonly folder: string;
  /** What the command line says, as a file: it counts after all others. */
  readonly more?: readonly TextFile[];
  /** The program is told of no change of a secret. */
  readonly isOnce?: boolean;
  /** It is to be shown, not to be run: what has no counterpart is left out and told of. */
  readonly isMigration?: boolean;
  /** The program of envconsul, from its command line. */
  readonly command?: readonly string[] | undefined;
}

export interface ForeignConfig {
  readonly source: ConfigSource;
  readonly tool: Tool;
  readonly notes: readonly Note[];
}

const agentKeys =
  /^(?:auto_auth|cache|api_proxy|listener|env_template|template_config|exit_after_auth|disable_idle_connections|disable_keep_alives)$/i;
const envconsulKeys = /^(?:secret|prefix|service|upcase|sanitize|pristine)$/i;
const otherKeys =
  /^(?:vault|template|exec|consul|nomad|pid_file|syslog|wait|kill_signal|reload_signal|max_stale|deduplicate|default_delimiters)$/i;
const ourKeys = /^(?:upstreams|secrets|files|processes|listeners|access|audit|agent|state_dir)$/;

/** Whether a file is of another tool: by its name, of JSON by its keys. */
export function isForeignFile({ file, text }: TextFile): boolean {
  if (file.endsWith('.hcl') || file.endsWith('.toml')) return true;
  if (!/^\s*\{/.test(text)) return false;
  try {
    const keys = Object.keys(JSON.parse(text) as object);
    const isTheirs = (key: string) =>
      agentKeys.test(key) || envconsulKeys.test(key) || (otherKeys.test(key) && key !== 'template');
    const isTemplateList =
      keys.includes('template') && !keys.some((key) => ourKeys.test(key) || key === 'log');
    return !keys.some((key) => ourKeys.test(key)) && (keys.some(isTheirs) || isTemplateList);
  } catch {
    return false;
  }
}

/** Undefined when a file cannot be read; what is wrong is among the problems then. */
export function readForeign(
  files: readonly TextFile[],
  options: ForeignOptions,
  problems: Problems,
): ForeignConfig | undefined {
  const notes: Note[] = [];
  let hasProblem = false;
  const report: Report = {
    problem(origin, message) {
      hasProblem = true;
      problems.addAt(origin.file, origin.position, message, origin.name);
    },
    note: (kind, origin, message) => notes.push({ kind, origin, message }),
  };
  const name = files[0]?.file ?? `${options.folder}/latchkey`;
  const draft = createDraft(name, options.folder);
  const work: Work = {
    context: { draft, report, env: options.env, folder: options.folder, file: name },
    options,
    isFine: () => !hasProblem,
  };
  const all = [...files, ...(options.more ?? [])];
  const isToml = options.tool === 'aws-agent' || files.some(({ file }) => file.endsWith('.toml'));
  const tool = isToml ? readToml(all, work) : readHcl(all, work, problems);
  if (hasProblem || tool === undefined) return undefined;
  for (const { kind, origin, message } of notes) {
    if (kind !== 'advice') problems.warnAt(origin.file, origin.position, message, origin.name);
  }
  return { source: draft.source(files.map(({ file }) => file)), tool, notes };
}

interface Work {
  readonly context: DraftContext;
  readonly options: ForeignOptions;
  /** Whether nothing was wrong so far: what follows would only say it again. */
  isFine(): boolean;
}

function readToml(files: readonly TextFile[], { context }: Work): Tool {
  for (const { file, text } of files) {
    const said = readAwsAgent(file, text, context.report);
    if (said !== undefined) draftAwsAgent(said, context);
  }
  return 'aws-agent';
}

function readHcl(files: readonly TextFile[], work: Work, problems: Problems): Tool | undefined {
  const { context, options, isFine } = work;
  const { report } = context;
  const roots = files.flatMap((file) => parse(file, report) ?? []);
  for (const { file, root } of roots) {
    if (isPolicy(root))
      report.problem(wholeFile(file), 'this is a policy of a vault, and no config; keep it elsewhere');
  }
  if (!isFine()) return undefined;
  for (const { file, root } of roots) {
    for (const { position, name, found } of placeholdersIn(root)) {
      problems.warnAt(file, position, `${found} looks like a place that nobody filled in`, name);
      problems.suspect(file, position, `${found} stands there: fill this file in first`);
    }
  }
  const tool = options.tool ?? toolOf(roots.map(({ root }) => root));
  const each = <T>(read: (file: string, root: HclObject, report: Report) => T): T[] =>
    roots.flatMap(({ file, root }) => guarded(file, report, () => read(file, root, report)));
  if (tool === 'vault-agent') {
    const agent = mergeAgents(each(readAgent));
    if (isFine()) checkAgent(agent, context.file, report);
    if (isFine()) draftAgent(agent, context);
  } else if (tool === 'consul-template') {
    const said = mergeConsulTemplates(each(readConsulTemplate));
    if (isFine()) draftConsulTemplate(said, context, options.isOnce === true);
  } else {
    const said = mergeEnvconsuls(each(readEnvconsul));
    const isCommandLine = options.more !== undefined;
    if (isFine()) draftEnvconsul(said, { ...options, isCommandLine }, context);
  }
  return tool;
}

/** It has a config's ending, and lies beside one. */
function isPolicy({ items }: HclObject): boolean {
  return items.length > 0 && items.every(({ keys }) => keys[0]?.name === 'path' && keys.length === 2);
}

function parse({ file, text }: TextFile, report: Report): { file: string; root: HclObject } | undefined {
  try {
    return { file, root: parseHcl(text) };
  } catch (error) {
    if (!(error instanceof HclError)) throw error;
    const { position } = error;
    const why = describePlaceholder(text, position);
    report.problem({ file, position, name: '' }, why ?? error.message);
    return undefined;
  }
}

function guarded<T>(file: string, report: Report, read: () => T): T[] {
  try {
    return [read()];
  } catch (error) {
    if (!(error instanceof HclError)) throw error;
    report.problem({ file, position: error.position, name: '' }, error.message);
    return [];
  }
}

/** What is only one tool's decides; what several have is taken for consul-template's. */
function toolOf(roots: readonly HclObject[]): Tool {
  const keys = roots.flatMap(({ items }) => items.map((item) => item.keys[0]?.name ?? ''));
  if (keys.some((key) => agentKeys.test(key))) return 'vault-agent';
  return keys.some((key) => envconsulKeys.test(key)) ? 'envconsul' : 'consul-template';
}
