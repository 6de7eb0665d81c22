// The options of Vault Agent's command line: `-config` and what counts before the environment and the files. Read with one dash or
// two, so that a unit that starts it needs another program's name and nothing else.
import type { Environment } from '../../base/surroundings.ts';
import type { LoadOptions } from '../../config/load.ts';
import { agentFiles } from './config-files.ts';
import { flagsToHcl, kindsOf, type Target } from './flags-to-hcl.ts';
import { type FlagKind, type GoFlags, parseGoFlags, valuesOf } from './go-flags.ts';

/** What counts before the variable of the environment takes its place. */
const variables: Readonly<Record<string, string>> = {
  'log-level': 'LOG_LEVEL',
  'log-format': 'LOG_FORMAT',
  address: 'ADDR',
  namespace: 'NAMESPACE',
  ns: 'NAMESPACE',
  'ca-cert': 'CACERT',
  'ca-path': 'CAPATH',
  'client-cert': 'CLIENT_CERT',
  'client-key': 'CLIENT_KEY',
  'tls-server-name': 'TLS_SERVER_NAME',
};

const targets: Readonly<Record<string, Target>> = {
  'exit-after-auth': ['flag', 'exit_after_auth'],
  'log-file': ['text', 'log_file'],
  'log-rotate-bytes': ['number', 'log_rotate_bytes'],
  'log-rotate-duration': ['text', 'log_rotate_duration'],
  'log-rotate-max-files': ['number', 'log_rotate_max_files'],
};

const kinds: Readonly<Record<string, FlagKind>> = {
  config: 'text',
  'tls-skip-verify': 'flag',
  'combine-logs': 'flag',
  ...Object.fromEntries(Object.keys(variables).map((name) => [name, 'text'] as const)),
  ...kindsOf(targets),
};

export interface AgentFlags {
  readonly config: string[];
  readonly load: LoadOptions;
}

/** Undefined: none of its options is there. Throws `usage`. */
export function parseAgentFlags(args: readonly string[], env: Environment): AgentFlags | undefined {
  const isTheirs = (word: string) => {
    const [, dashes, name = ''] = /^(--?)([a-z][a-z-]+)/.exec(word) ?? [];
    return Object.hasOwn(kinds, name) && (dashes === '-' || name !== 'config');
  };
  if (!args.some(isTheirs)) return undefined;
  const flags = parseGoFlags(args, kinds);
  // What else lies in a folder is nothing to their command.
  const said = valuesOf(flags, 'config');
  const config = agentFiles(said);
  if (flags.said.length === said.length) return { config, load: {} };
  const text = flagsToHcl(flags, targets);
  return {
    config,
    load: { env: environmentOf(flags, env), foreign: { more: [{ file: 'command line', text }] } },
  };
}

/** OpenBao reads a name of its own first. */
function environmentOf({ said }: GoFlags, env: Environment): Record<string, string | undefined> {
  const all = { ...env };
  for (const { name, value } of said) {
    const variable = name === 'tls-skip-verify' ? 'SKIP_VERIFY' : variables[name];
    if (variable === undefined) continue;
    all[`BAO_${variable}`] = value;
    all[`VAULT_${variable}`] = value;
  }
  return all;
}
