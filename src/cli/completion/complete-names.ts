// What a shell offers beyond the declared words: names of what the running agent has. Silent wherever it cannot be asked, and
// given up soon: somebody waits with a finger on the key.
import { routes } from '../../api/routes.ts';
import type { SecretsAnswer } from '../../api/secrets.ts';
import { shownPath } from '../../api/shown-path.ts';
import type { AgentStatus } from '../../api/status.ts';
import { askAgentOrThrow } from '../../client/local-client.ts';
import { socketPathOf } from '../config-socket.ts';

type Kind = 'readable' | 'secrets' | 'processes' | 'all';

interface NamedArguments {
  readonly kind: Kind;
  /** The fixed word before them. */
  readonly after?: string;
  /** Default: any number of them. */
  readonly most?: number;
}

/** Which arguments of a command are names, and of what. */
const named: Readonly<Record<string, NamedArguments>> = {
  get: { kind: 'readable', most: 1 },
  refresh: { kind: 'secrets' },
  rotate: { kind: 'secrets' },
  explain: { kind: 'all', most: 1 },
  'who-has': { kind: 'secrets', most: 1 },
  timeline: { kind: 'secrets', most: 1 },
  drill: { kind: 'secrets', most: 1 },
  access: { kind: 'secrets', after: 'test', most: 1 },
  audit: { kind: 'secrets', after: 'query' },
};
const namedOptions: Readonly<Record<string, Kind>> = {
  'run --process': 'processes',
  'helper --secret': 'readable',
};
/** Of all commands with names: whatever follows them is no argument of the command. */
const valueOptions =
  /^--(?:config|socket|process|secret|host|timeout|kind|last|since|uid|gid|user|group|exe|unit|container|limit|file)$/;
const patienceMs = 1000;

/** Of these alone a shell asks. */
export const commandsWithNames: readonly string[] = [
  ...Object.keys(named),
  ...Object.keys(namedOptions).map((text) => text.split(' ')[0] ?? ''),
];

export function isNamedOption(command: string, option: string): boolean {
  return Object.hasOwn(namedOptions, `${command} --${option}`);
}

/** `words`: what is typed after the program's name, the last of them is what is being typed. Never throws. */
export async function completeNames(words: readonly string[]): Promise<string[]> {
  const typed = readTyped(words);
  if (typed === undefined) return [];
  try {
    const names = await namesOf(typed.kind, await socketPathOf(typed));
    // One a line: what has others in it cannot be offered, and must not reach a terminal.
    return [...new Set(names)].filter((name) => name !== '' && !/\p{Cc}/u.test(name)).sort();
  } catch {
    // No agent, no right to ask it, or it is too busy: then there is nothing to offer.
    return [];
  }
}

interface Typed {
  readonly kind: Kind;
  readonly socket: string | undefined;
  readonly config: string[] | undefined;
}

function readTyped(words: readonly string[]): Typed | undefined {
  // bash divides `--socket=PATH` into three.
  const [command = '', ...rest] = words.filter((word) => word !== '=').map(unquoted);
  const before = rest.slice(0, -1);
  const asked: { socket: string | undefined; config: string[] } = { socket: undefined, config: [] };
  const told: string[] = [];
  let option: string | undefined;
  for (const word of before) {
    const [, joined, value] = /^(--\w[\w-]*)=(.*)$/s.exec(word) ?? [];
    const [name, given] = option === undefined ? [joined, value] : [option, word];
    if (name === '--socket' && given !== undefined) asked.socket = given;
    if (name === '--config' && given !== undefined) asked.config.push(given);
    const wasValue = option !== undefined;
    option = !wasValue && valueOptions.test(word) ? word : undefined;
    if (!wasValue && !word.startsWith('-')) told.push(word);
  }
  const { socket, config } = asked;
  const kind = option === undefined ? kindOfArgument(command, told) : namedOptions[`${command} ${option}`];
  return kind && { kind, socket, config: config.length === 0 ? undefined : config };
}

/** Of the argument that follows those that are there. */
function kindOfArgument(command: string, [first, ...others]: readonly string[]): Kind | undefined {
  const found = named[command];
  if (found === undefined) return undefined;
  const { kind, after, most = Number.POSITIVE_INFINITY } = found;
  if (after !== undefined && first !== after) return undefined;
  const count = others.length + (first === undefined || after !== undefined ? 0 : 1);
  return count < most ? kind : undefined;
}

/** A shell hands over what was typed, and not what it would make of it. */
function unquoted(word: string): string {
  const text = word.replace(/^(["'])(.*?)\1?$/s, '$2').replaceAll(/\\(.)/gs, '$1');
  return text.replace(/^~(?=\/)/, process.env['HOME'] ?? '~');
}

async function namesOf(kind: Kind, socketPath: string): Promise<string[]> {
  const ask = async (path: string): Promise<unknown> => {
    const signal = AbortSignal.timeout(patienceMs);
    const { body } = await askAgentOrThrow({ socketPath, path, signal });
    return JSON.parse(body.toString('utf8'));
  };
  if (kind === 'readable') {
    const { secrets } = (await ask('/secrets')) as SecretsAnswer;
    return secrets.map(({ name }) => name);
  }
  const status = (await ask(routes.status.path)) as AgentStatus;
  const { files, processes, upstreams, listeners } = status;
  const secrets = status.secrets.flatMap((one) =>
    one.names.length === 0 ? [shownPath(one, status.secrets)] : one.names,
  );
  if (kind === 'secrets') return secrets;
  const named = processes.map(({ name }) => name);
  if (kind === 'processes') return named;
  return [
    ...secrets,
    ...named,
    ...files.map(({ destination }) => destination),
    ...upstreams.flatMap(({ name, sinks = [] }) => [name, ...sinks.map(({ path }) => path)]),
    ...listeners.map(({ place }) => place),
  ];
}
