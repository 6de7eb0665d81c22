// A template of Vault Agent or consul-template as an item of `files`: with their defaults, which are not ours.
import { resolve } from 'node:path';
import type { Path } from '../../problems.ts';
import type { Draft, DraftContext } from '../draft.ts';
import { type Said, unlessEmpty } from '../hcl/block.ts';
import { formatMs } from '../hcl/duration.ts';
import type { Wait } from '../hcl/record.ts';
import type { Origin, Report } from '../hcl/report.ts';
import type { SaidTemplate } from './read-template.ts';
import { shellWords } from './shell-words.ts';

export interface TemplateDefaults {
  readonly leftDelimiter: string | undefined;
  readonly rightDelimiter: string | undefined;
  /** Where relative paths start. */
  readonly folder: string;
  /** Of templates that say nothing of it. */
  readonly wait?: Said<Wait> | undefined;
}

const defaultCommandTimeoutMs = 30_000;
const defaultRefreshMs = 300_000;

export function draftTemplate(
  said: SaidTemplate,
  draft: Draft,
  defaults: TemplateDefaults,
  report: Report,
): void {
  const { origin, destination } = said;
  if (destination === undefined || destination.value === '') {
    report.problem(origin, 'expected a destination: the file that is written');
    return;
  }
  const path = draft.add(['files'], origin);
  const absolute = (text: string) => resolve(defaults.folder, text);
  draftSource(said, draft, path, absolute, report);
  draft.set([...path, 'destination'], absolute(destination.value), destination.origin);
  draftMode(said, draft, path, report);
  draft.set([...path, 'owner'], said.user?.value || undefined, said.user?.origin ?? origin);
  draft.set([...path, 'group'], said.group?.value || undefined, said.group?.origin ?? origin);
  draft.set(
    [...path, 'create_parents'],
    said.createDestDirs?.value ?? true,
    said.createDestDirs?.origin ?? origin,
  );
  if (said.backup?.value === true) draft.set([...path, 'backup'], true, said.backup.origin);
  if (said.errorOnMissingKey?.value === true)
    draft.set([...path, 'error_on_missing_key'], true, said.errorOnMissingKey.origin);
  draftDelimiters(said, draft, path, defaults);
  draftWait(said, draft, path, defaults);
  draftCommand(said, draft, path, report);
  noteTheRest(said, report);
}

function draftSource(
  said: SaidTemplate,
  draft: Draft,
  path: Path,
  absolute: (text: string) => string,
  report: Report,
): void {
  const source = unlessEmpty(said.source);
  const contents = said.contents?.value === '' && source !== undefined ? undefined : said.contents;
  if (source === undefined && contents === undefined)
    report.problem(said.origin, 'expected source, a file, or contents');
  if (source !== undefined && contents !== undefined)
    report.problem(contents.origin, 'expected source or contents, got both');
  if (source !== undefined) draft.set([...path, 'template'], absolute(source.value), source.origin);
  else if (contents !== undefined) draft.set([...path, 'contents'], contents.value, contents.origin);
}

/** Without `perms` a file keeps its mode and owner, and a new one gets 0644. */
function draftMode({ perms, origin }: SaidTemplate, draft: Draft, path: Path, report: Report): void {
  if (perms === undefined || perms.value === 0) {
    draft.set([...path, 'mode'], 'keep', perms?.origin ?? origin);
    return;
  }
  // As there: of a number that is no octal one, what permissions are in it.
  const mode = (perms.value & 0o777).toString(8).padStart(4, '0');
  if (perms.value > 0o777) {
    report.note(
      'differs',
      perms.origin,
      `is a decimal number, of which ${mode} is left as the mode, as there; write it in quotes`,
    );
  }
  draft.set([...path, 'mode'], mode, perms.origin);
}

function draftDelimiters(said: SaidTemplate, draft: Draft, path: Path, defaults: TemplateDefaults): void {
  for (const side of ['left', 'right'] as const) {
    const own = side === 'left' ? said.leftDelimiter : said.rightDelimiter;
    const text = own?.value || (side === 'left' ? defaults.leftDelimiter : defaults.rightDelimiter);
    const usual = side === 'left' ? '{{' : '}}';
    if (text !== undefined && text !== '' && text !== usual)
      draft.set([...path, `${side}_delimiter`], text, own?.origin ?? said.origin);
  }
}

function draftCommand(
  { exec, command, commandTimeout }: SaidTemplate,
  draft: Draft,
  path: Path,
  report: Report,
): void {
  if (exec?.enabled?.value === false) return;
  const said = exec?.command ?? command;
  if (said === undefined) return;
  const words = shellWords(said.value);
  if (words === undefined) return;
  if (said.value.length > 1 && said.value.some((word) => /^ /.test(word))) {
    report.note(
      'advice',
      said.origin,
      'commas divide a string into words, as there; write a list of words, or one string without commas',
    );
  }
  const timeout = exec?.timeout ?? commandTimeout;
  const notify: Record<string, unknown> = { command: words };
  const timeoutMs = timeout?.value ?? defaultCommandTimeoutMs;
  // 0 is no limit there; an hour is none that a command meets.
  if (timeoutMs !== defaultCommandTimeoutMs)
    notify['timeout'] = formatMs(timeoutMs > 0 ? timeoutMs : 3_600_000);
  draft.set([...path, 'notify'], notify, said.origin);
}

/** There without a wait each change is written at once. */
function draftWait(
  { wait, origin }: SaidTemplate,
  draft: Draft,
  path: Path,
  defaults: TemplateDefaults,
): void {
  const said = wait ?? defaults.wait;
  const minMs = said?.value.minMs ?? 0;
  const maxMs = said?.value.maxMs ?? 4 * minMs;
  if (minMs > 0)
    draft.set(
      [...path, 'wait'],
      `${formatMs(minMs)}..${formatMs(Math.max(minMs, maxMs))}`,
      said?.origin ?? origin,
    );
}

function noteTheRest({ errorFatal, exec }: SaidTemplate, report: Report): void {
  if (errorFatal?.value === true) {
    report.note(
      'differs',
      errorFatal.origin,
      'a template that fails ends nothing here: the others go on, and it is told',
    );
  }
  for (const said of [exec?.killSignal, exec?.killTimeout, exec?.reloadSignal, exec?.splay, exec?.env]) {
    if (said !== undefined)
      report.note(
        'ignored',
        'origin' in said ? said.origin : said,
        'is ignored for the command of a template',
      );
  }
}

/** What templates may read and call: one that names no folder may read all. */
export function draftSandbox(
  templates: readonly SaidTemplate[],
  origin: Origin,
  { draft, folder }: DraftContext,
): void {
  const sandboxes = templates.map(({ sandboxPath }) => unlessEmpty(sandboxPath));
  const isClosed = templates.length > 0 && sandboxes.every((one) => one !== undefined);
  const paths = isClosed ? [...new Set(sandboxes.map((one) => resolve(folder, one?.value ?? '')))] : ['/'];
  draft.set(['template', 'sandbox_paths'], paths, sandboxes[0]?.origin ?? origin);
  const denied = templates.flatMap(({ deniedFunctions }) => deniedFunctions ?? []);
  const names = [...new Set(denied.flatMap(({ value }) => value))];
  if (names.length > 0) draft.set(['template', 'deny_functions'], names, denied[0]?.origin ?? origin);
}

/** How often a secret without a lease is asked for, which `key` says there. */
export function draftRefresh(
  said: Said<number> | undefined,
  origin: Origin,
  key: string,
  { draft, report }: DraftContext,
): void {
  const ms = said !== undefined && said.value > 0 ? said.value : defaultRefreshMs;
  draft.set(['template', 'refresh'], formatMs(ms), said?.origin ?? origin);
  if (ms <= 60_000) return;
  report.note(
    'advice',
    said?.origin ?? origin,
    `a secret without a lease is asked for every ${formatMs(ms)}, as there; ${key} = "30s" costs little here`,
  );
}
