// The declarations of the commands as data, for what is made from them: completions and manual pages.
import yargs, { type Argv } from 'yargs';
import type { Define } from '../option-groups.ts';

export interface DescribedOption {
  readonly name: string;
  readonly takesValue: boolean;
  readonly choices: readonly string[];
  readonly describe: string;
  /** Undefined: none, or false. */
  readonly defaultValue: string | undefined;
}

export interface DescribedCommand {
  readonly name: string;
  /** `get <name> [field]` */
  readonly signature: string;
  readonly describe: string;
  /** What may follow it: fixed words, and the choices of its arguments. */
  readonly words: readonly string[];
  readonly options: readonly DescribedOption[];
}

interface YargsOptions {
  readonly key: Readonly<Record<string, unknown>>;
  readonly boolean: readonly string[];
  readonly choices: Readonly<Record<string, readonly string[]>>;
  readonly default: Readonly<Record<string, unknown>>;
}

interface YargsInside {
  getOptions(): YargsOptions;
  getInternalMethods(): {
    getUsageInstance(): { getDescriptions(): Readonly<Record<string, string | undefined>> };
  };
}

/** In the order of the help. */
export function describeCommands(declare: (define: Define) => void): DescribedCommand[] {
  const found: DescribedCommand[] = [];
  declare((signature, describe, builder) => {
    const [name = '', ...parts] = signature.split(' ');
    const places = parts.map((part) => part.replaceAll(/[<>[\].]/g, ''));
    const built = builder(yargs().help(false).version(false)) as Argv<unknown> & YargsInside;
    const { key, boolean, choices, default: defaults } = built.getOptions();
    const told = built.getInternalMethods().getUsageInstance().getDescriptions();
    const choicesOf = (one: string): readonly string[] => choices[one] ?? [];
    found.push({
      name,
      signature,
      describe,
      words: places.flatMap(choicesOf),
      options: Object.keys(key)
        .filter((one) => !places.includes(one))
        .map((one) => ({
          name: one,
          takesValue: !boolean.includes(one),
          choices: choicesOf(one),
          describe: (told[one] ?? '').replace(/^__yargsString__:/, ''),
          defaultValue: shownDefault(defaults[one]),
        })),
    });
  });
  return found;
}

function shownDefault(value: unknown): string | undefined {
  const isShown = (typeof value === 'string' && value !== '') || typeof value === 'number' || value === true;
  return isShown ? String(value) : undefined;
}
