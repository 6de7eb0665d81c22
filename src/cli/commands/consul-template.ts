// `latchkey consul-template -template SOURCE:DESTINATION:COMMAND …`: its command line, its exit codes, our agent.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { renderOnce } from '../../agent/one-shot/one-shot.ts';
import { createLogger } from '../../base/logger.ts';
import { type LoadOptions, loadConfig } from '../../config/load.ts';
import type { ResolvedConfig } from '../../config/resolved.ts';
import { configFiles } from '../foreign/config-files.ts';
import { consulTemplateTargets, flagsToHcl, kindsOf, literal } from '../foreign/flags-to-hcl.ts';
import { exitOf, exits, failed, flagsOrExit, isSet } from '../foreign/foreign-command.ts';
import { type FlagKind, type GoFlags, valuesOf } from '../foreign/go-flags.ts';
import { say } from '../output.ts';
import { stopSignal } from '../stop-signal.ts';
import { runAgent } from './agent.ts';

const flagKinds: Readonly<Record<string, FlagKind>> = {
  ...kindsOf(consulTemplateTargets),
  ...{ template: 'text', dry: 'flag', 'parse-only': 'flag', 'vault-grace': 'text' },
};

export async function runConsulTemplate(args: readonly string[]): Promise<number> {
  const flags = flagsOrExit(args, flagKinds, help);
  if (typeof flags === 'number') return flags;
  const isOnce = isSet(flags, 'once');
  const paths = configFiles(valuesOf(flags, 'config'));
  const load = loadOptions(flags, isOnce);
  try {
    const config = loadConfig(paths, load);
    for (const warning of config.warnings) say(`latchkey: warning: ${warning}`);
    if (isSet(flags, 'parse-only')) return 0;
    if (isSet(flags, 'dry')) return await render(config, true);
    if (isOnce) {
      const code = await render(config, false);
      if (code !== 0 || config.processes.length === 0) return code;
    }
  } catch (error) {
    return failed(error, exitOf(error));
  }
  // Once rendered, the program runs to its end, and no file changes under it.
  const only = isOnce ? programAlone : undefined;
  const told = (error: unknown) => failed(error, exits.runner);
  return await runAgent({ config: paths }, load, only, told).catch(told);
}

function loadOptions(flags: GoFlags, isOnce: boolean): LoadOptions {
  const local = process.env['CT_LOCAL_CONFIG'];
  return {
    foreign: {
      tool: 'consul-template',
      more: [
        // Among what the command line says: after the files, and before its options.
        ...(local ? [{ file: '$CT_LOCAL_CONFIG', text: local }] : []),
        { file: 'command line', text: hclOf(flags) },
      ],
      isOnce,
    },
  };
}

function programAlone(config: ResolvedConfig): ResolvedConfig {
  return { ...config, upstreams: [], secrets: [], files: [], listeners: [] };
}

function hclOf(flags: GoFlags): string {
  const templates = valuesOf(flags, 'template').map(templateOf);
  return [flagsToHcl(flags, consulTemplateTargets), ...templates].join('\n');
}

/** `SOURCE:DESTINATION:COMMAND`; the command may have colons. */
function templateOf(text: string): string {
  const [source = '', destination = '', ...command] = text.split(':').filter((part) => part !== '');
  const lines = [`source = ${literal(source)}`];
  if (destination !== '') lines.push(`destination = ${literal(destination)}`);
  if (command.length > 0) lines.push(`command = [${literal(command.join(':'))}]`);
  return `template {\n${lines.join('\n')}\n}`;
}

/** Each file once; `isDry` prints what it would be, and writes and tells nothing. */
async function render(config: ResolvedConfig, isDry: boolean): Promise<number> {
  const stop = stopSignal({ withTerminal: true });
  const log = createLogger(config.log);
  const folder = isDry ? mkdtempSync(join(tmpdir(), 'latchkey-dry-')) : undefined;
  const wanted = folder === undefined ? config : dryConfig(config, folder);
  try {
    const { failure, messages } = await renderOnce({
      config: wanted,
      log,
      env: process.env,
      signal: stop.signal,
    });
    if (stop.signal.aborted) return exits.interrupted;
    if (failure !== undefined) {
      for (const message of messages) say(message);
      return exits.runner;
    }
    for (const [index, { destination }] of config.files.entries()) {
      const written = folder === undefined ? undefined : readFileSync(wanted.files[index]?.destination ?? '');
      if (written !== undefined)
        process.stdout.write(Buffer.concat([Buffer.from(`> ${destination}\n`), written]));
    }
    return 0;
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    stop.dispose();
  }
}

/** Into a folder of our own, which is gone in the end. */
function dryConfig(config: ResolvedConfig, folder: string): ResolvedConfig {
  const files = config.files.map((file, index) => ({
    ...file,
    ...{ destination: join(folder, String(index)), mode: 0o600, owner: undefined, group: undefined },
    ...{ notify: [], check: undefined, settle: undefined, backup: false },
  }));
  return { ...config, files, stateDir: folder };
}

const help = `latchkey consul-template [OPTIONS]

Renders templates as consul-template does, from a vault. Its options are known; the usual ones:
  -template SOURCE:DESTINATION:COMMAND   a template, the file it makes, what is run after a change; repeatable
  -config PATH                           a configuration of consul-template, or a folder; repeatable
  -once                                  render each file once and end, with -exec when the program ends
  -dry                                   print what the files would be
  -exec COMMAND                          run a program; its end is the end
  -vault-addr URL  -vault-token TOKEN  -vault-agent-token-file PATH  -vault-renew-token  -vault-unwrap-token
  -log-level LEVEL  -pid-file PATH  -wait MIN:MAX
`;
