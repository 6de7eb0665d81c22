// `latchkey envconsul -secret PATH … CMD`: its command line, our agent around the program.
import type { LoadOptions } from '../../config/load.ts';
import { configFiles } from '../foreign/config-files.ts';
import { envconsulTargets, flagsToHcl, kindsOf, literal } from '../foreign/flags-to-hcl.ts';
import { exitOf, exits, failed, flagsOrExit, isSet } from '../foreign/foreign-command.ts';
import { type FlagKind, type GoFlags, valuesOf } from '../foreign/go-flags.ts';
import { runAgent } from './agent.ts';

/** Each says something of a service of Consul. */
const serviceFlags = [
  'service-query',
  ...['id', 'name', 'address', 'tag', 'port'].map((part) => `service-format-${part}`),
];
const flagKinds: Readonly<Record<string, FlagKind>> = {
  ...kindsOf(envconsulTargets),
  ...Object.fromEntries(serviceFlags.map((name) => [name, 'text'] as const)),
  ...{ secret: 'text', prefix: 'text', service: 'text', 'no-prefix': 'flag' },
};

export async function runEnvconsul(args: readonly string[]): Promise<number> {
  const flags = flagsOrExit(args, flagKinds, help);
  if (typeof flags === 'number') return flags;
  const load: LoadOptions = {
    foreign: {
      tool: 'envconsul',
      more: [{ file: 'command line', text: hclOf(flags) }],
      ...(flags.rest.length > 0 ? { command: flags.rest } : {}),
      isOnce: isSet(flags, 'once'),
    },
  };
  const paths = configFiles(valuesOf(flags, 'config'));
  return await runAgent({ config: paths }, load, undefined, (error) => failed(error, exits.runner)).catch(
    (error: unknown) => failed(error, exitOf(error)),
  );
}

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
