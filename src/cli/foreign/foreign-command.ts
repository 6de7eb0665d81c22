// What the commands that stand for consul-template and envconsul have in common: exit codes, and what ends them at once.
import { errorCode } from '../../base/errors.ts';
import { versionLine } from '../commands/version.ts';
import { tellFailure } from '../exit-code.ts';
import { printText } from '../output.ts';
import { idleFlags } from './flags-to-hcl.ts';
import { type FlagKind, type GoFlags, parseGoFlags } from './go-flags.ts';

/** As they have them. */
export const exits = { interrupted: 12, flags: 13, runner: 14, config: 15 };

/** The exit code where the version, help, or what is wrong with the flags is all that there is to say. */
export function flagsOrExit(
  args: readonly string[],
  known: Readonly<Record<string, FlagKind>>,
  help: string,
): GoFlags | number {
  let flags: GoFlags;
  try {
    flags = parseGoFlags(args, {
      ...idleFlags,
      ...known,
      ...{ config: 'text', once: 'flag', v: 'flag', version: 'flag', h: 'flag', help: 'flag' },
    });
  } catch (error) {
    return failed(error, exits.flags);
  }
  const isVersion = isSet(flags, 'v') || isSet(flags, 'version');
  if (!isVersion && !isSet(flags, 'h') && !isSet(flags, 'help')) return flags;
  printText(isVersion ? `${versionLine()}\n` : help);
  return 0;
}

export function isSet({ said }: GoFlags, name: string): boolean {
  return said.findLast((flag) => flag.name === name)?.value === 'true';
}

/** Says why, and gives the code. */
export function failed(error: unknown, code: number): number {
  tellFailure(error);
  return code;
}

/** Of what may be the config's fault. */
export function exitOf(error: unknown): number {
  return errorCode(error) === 'config_invalid' ? exits.config : exits.runner;
}
