// `latchkey envconsul -secret PATH … CMD`: its command line, our agent around the program.
import { errorCode } from '../../base/errors.ts';
import type { LoadOptions } from '../../config/load.ts';
import { tellFailure } from '../exit-code.ts';
import { configFiles } from '../foreign/config-files.ts';
import { envconsulTargets, flagsToHcl, idleFlags, kindsOf, literal } from '../foreign/flags-to-hcl.ts';
import { type GoFlags, parseGoFlags, valuesOf } from '../foreign/go-flags.ts';
import { printText } from '../output.ts';
import { runAgent } from './agent.ts';
import { versionLine } from './version.ts';

const exits = { flags: 13, runner: 14, config: 15 };

export async function runEnvconsul(args: readonly string[]): Promise<number> {
  let flags: GoFlags;
  try {
    flags = parseGoFlags(args, {
      ...idleFlags,
      ...kindsOf(envconsulTargets),
      ...Object.fromEntries(serviceFlags.map((name) => [name, 'text'] as const)),
      ...{
        config: 'text',
        secret: 'text',
        prefix: 'text',
        service: 'text',
        once: 'flag',
        'no-prefix': 'flag',
      },
      ...{ v: 'flag', version: 'flag', h: 'flag', help: 'flag' },
    });
  } catch (error) {
    return fail(error, exits.flags);
  }
  const isSet = (name: string) => flags.said.findLast((flag) => flag.name === name)?.value === 'true';
  if (isSet('v') || isSet('version')) return print(`${versionLine()}\n`);
  if (isSet('h') || isSet('help')) return print(help);
  const load: LoadOptions = {
    foreign: {
      tool: 'envconsul',
      more: [{ file: 'command line', text: hclOf(flags) }],
      ...(flags.rest.length > 0 ? { command: flags.rest } : {}),
      isOnce: isSet('once'),
    },
  };
  const paths = configFiles(valuesOf(flags, 'config'));
  return await runAgent({ config: paths }, load, undefined, (error) => fail(error, exits.runner)).catch(
    (error: unknown) => fail(error, errorCode(error) === 'config_invalid' ? exits.config : exits.runner),
  );
}

/** Each says something of a service of Consul. */
const serviceFlags = [
  'service-query',
  ...['id', 'name', 'address', 'tag', 'port'].map((part) => `service-format-${part}`),
];

function hclOf(flags: GoFlags): string {
  const bare = flags.said.findLast(({ name }) => name === 'no-prefix')?.value;
  const blocks = flags.said
    .filter(({ name }) => name === 'secret' || name === 'prefix')
    .map(
      ({ name, value }) =>
        `${name} {\npath = ${literal(value)}${bare === undefined ? '' : `\nno_prefix = ${bare}`}\n}`,
    );
  const services = flags.said
    .filter(({ name }) => name === 'service' || name === 'service-query')
    .map(({ value }) => `service {\nquery = ${literal(value)}\n}`);
  return [flagsToHcl(flags, envconsulTargets), ...blocks, ...services].join('\n');
}

function print(text: string): number {
  printText(text);
  return 0;
}

function fail(error: unknown, code: number): number {
  tellFailure(error);
  return code;
}

const help = `latchkey envconsul [OPTIONS] CMD…

Runs a program with the fields of secrets as its variables, as envconsul does. Its options are known; the usual ones:
  -secret PATH      a secret of the vault; repeatable
  -no-prefix        names without that of the secret
  -upcase           names in capital letters
  -sanitize         names of letters, digits and underscores
  -pristine         nothing of our own environment but PATH, HOME, LANG, LC_*, TZ and TERM
  -once             do not start it again when a secret changes
  -config PATH      a configuration of envconsul, or a folder; repeatable
  -vault-addr URL  -vault-token TOKEN  -vault-agent-token-file PATH  -log-level LEVEL
`;
