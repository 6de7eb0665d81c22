// `latchkey man [COMMAND]`: manual pages from the declarations of the commands, as man(7) has them.
import { rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { LatchkeyError } from '../../base/errors.ts';
import { holdFolderSync } from '../../base/paths/held-folder.ts';
import { PathFault, pathErrorText, readingOnly } from '../../base/paths/path-trust.ts';
import { nearest } from '../../base/text/nearest.ts';
import { version } from '../../version.ts';
import {
  type DescribedCommand,
  type DescribedOption,
  describeCommands,
} from '../completion/describe-commands.ts';
import { examples } from '../examples.ts';
import type { Define } from '../option-groups.ts';
import { printText, say } from '../output.ts';

interface ManOptions {
  command?: string | undefined;
  /** A folder: every page is written there. */
  output?: string | undefined;
}

export async function runMan(
  { command, output }: ManOptions,
  declare: (define: Define) => void,
): Promise<number> {
  const commands = describeCommands(declare);
  if (output !== undefined) {
    const pages = commands.map((one) => [`latchkey-${one.name}.1`, pageOf(one, commands)] as const);
    putPages(resolve(output), [['latchkey.1', overview(commands)], ...pages]);
    say(`${commands.length + 1} pages are in ${output}`);
    return 0;
  }
  if (command === undefined) {
    printText(overview(commands));
    return 0;
  }
  const found = commands.find(({ name }) => name === command);
  if (found === undefined) {
    const near = nearest(
      command,
      commands.map(({ name }) => name),
    );
    throw new LatchkeyError('not_found', `man: there is no command ${JSON.stringify(command)}`, {
      remedy: near && `did you mean ${near}?`,
    });
  }
  printText(pageOf(found, commands));
  return 0;
}

/** Into anybody's folder, but to nowhere that somebody else's link leads. */
function putPages(path: string, pages: readonly (readonly [name: string, text: string])[]): void {
  try {
    const folder = holdFolderSync(path, { trust: readingOnly, createMode: 0o755 });
    try {
      for (const [name, text] of pages) {
        rmSync(folder.entry(name), { force: true });
        writeFileSync(folder.entry(name), text, { mode: 0o644, flag: 'wx' });
      }
    } finally {
      folder.release();
    }
  } catch (error) {
    throw new LatchkeyError('usage', `--output: ${path} cannot be written: ${pathErrorText(error)}`, {
      cause: error,
      remedy: error instanceof PathFault ? error.remedy : 'name another folder',
    });
  }
}

const exitCodes: readonly (readonly [code: string, means: string])[] = [
  ['0', 'fine'],
  ['1', 'failed'],
  ['2', 'bad usage, config or template'],
  ['3', 'not allowed: by the rules of the agent, by a policy of the vault, or the vault refused the login'],
  ['4', 'not found'],
  ['5', 'upstream or the agent is away'],
  ['6', 'render --diff --exit-code: a file would change'],
  ['other', "run: the command's own code"],
];

function overview(commands: readonly DescribedCommand[]): string {
  return page('latchkey', 'keep vault secrets current in files, processes and sockets', [
    ...section('SYNOPSIS', ['.B latchkey', '.I COMMAND', '[\\fIOPTIONS\\fR]']),
    ...section('DESCRIPTION', [
      text(
        'The agent of a host: it logs in to a vault once, keeps in memory the secrets that this host may have, and hands them to programs as files, environment, sockets and credential helpers, always current.',
      ),
    ]),
    ...section(
      'COMMANDS',
      commands.flatMap(({ name, describe }) => item(`.BR latchkey\\-${hyphens(name)} (1)`, describe)),
    ),
    ...section(
      'EXIT STATUS',
      exitCodes.flatMap(([code, means]) => item(code, means)),
    ),
    ...section('ENVIRONMENT', [
      ...item('.B LATCHKEY_SOCKET', "the agent's socket, where no --socket is given"),
      ...item('.B NO_COLOR', 'set to anything: no colours on a terminal'),
    ]),
    ...section(
      'FILES',
      item(
        '.I /etc/latchkey/latchkey.yaml',
        'the config where no --config is given, with all config files beside it',
      ),
    ),
  ]);
}

function pageOf(command: DescribedCommand, commands: readonly DescribedCommand[]): string {
  const { name, signature, describe, options } = command;
  const places = signature.split(' ').slice(1).map(placeOf);
  const own = examples[name] ?? [];
  const others = commands.filter((one) => one !== command).slice(0, 4);
  return page(`latchkey-${name}`, describe, [
    ...section('SYNOPSIS', [`.B latchkey ${hyphens(name)}`, [...places, '[\\fIOPTIONS\\fR]'].join(' ')]),
    ...section('DESCRIPTION', [text(`${describe[0]?.toUpperCase() ?? ''}${describe.slice(1)}.`)]),
    ...(options.length === 0 ? [] : section('OPTIONS', options.flatMap(optionLines))),
    ...section(
      'EXAMPLES',
      own.flatMap(([words, does]) => ['.TP', `.B latchkey ${escaped(words)}`, text(does)]),
    ),
    ...section('SEE ALSO', [
      ['.BR latchkey (1)', ...others.map((one) => `.BR latchkey\\-${hyphens(one.name)} (1)`)].join(' ,\n'),
    ]),
  ]);
}

function page(name: string, describe: string, parts: readonly string[]): string {
  const lines = [
    `.TH ${hyphens(name.toUpperCase())} 1 "" "latchkey ${version}" "Latchkey"`,
    ...section('NAME', [`${hyphens(name)} \\- ${escaped(describe)}`]),
    ...parts,
  ];
  return `${lines.join('\n')}\n`;
}

function section(title: string, lines: readonly string[]): string[] {
  return [`.SH ${title}`, ...lines];
}

function item(head: string, means: string): string[] {
  return ['.TP', head, text(means)];
}

function optionLines({ name, takesValue, choices, describe, defaultValue }: DescribedOption): string[] {
  const value = takesValue ? ` \\fI${choices.length > 0 ? choices.join('|') : 'VALUE'}\\fR` : '';
  const isSaid = defaultValue === undefined || describe.includes('default');
  return item(
    `\\fB\\-\\-${hyphens(name)}\\fR${value}`,
    `${describe}${isSaid ? '' : ` (default ${defaultValue})`}`,
  );
}

/** `<name>`, `[field]`, `[names..]` as manuals have them. */
function placeOf(place: string): string {
  const isNeeded = place.startsWith('<');
  const name = place.replaceAll(/[<>[\].]/g, '').toUpperCase();
  const more = place.includes('..') ? '\\fR...' : '\\fR';
  if (!/^[<[]/.test(place)) return place;
  return isNeeded ? `\\fI${name}${more}` : `[\\fI${name}${more}]`;
}

/** On a line of its own: what begins with a dot or a quote would be a request. */
function text(line: string): string {
  const safe = escaped(line);
  return /^[.']/.test(safe) ? `\\&${safe}` : safe === '' ? '\\&' : safe;
}

function escaped(line: string): string {
  return hyphens(line.replaceAll('\\', '\\e')).replaceAll('…', '...').replaceAll("'", '\\(aq');
}

function hyphens(line: string): string {
  return line.replaceAll('-', '\\-');
}
