// Who else can change what the agent trusts: its config, templates, programs, credentials and state, and the folders above
// them. As sshd's StrictModes: an error, or with `strict_modes: false` a warning.
import { basename, isAbsolute, resolve } from 'node:path';
import { isFile } from '../../base/paths/look-at.ts';
import {
  findPathFault,
  findWayFault,
  type PathFault,
  type TrustOptions,
} from '../../base/paths/trusted-path.ts';
import type { Environment, FaultOf } from '../../base/surroundings.ts';
import { findUser, groupMembers } from '../../base/system/accounts.ts';
import { isExecutable, placesInPath } from '../../base/system/executable.ts';
import { Place, type Problems } from '../problems.ts';
import type { NotifyConfig, ProcessConfig, ResolvedConfig, SettleConfig } from '../resolved.ts';
import type { MergedConfig } from '../sources/merge.ts';
import type { ConfigSource } from '../sources/read-source.ts';
import { commandOf, isForOthers, type UpstreamConfig } from '../upstreams/kinds.ts';

interface Trusted {
  readonly path: string;
  readonly place: Place;
  /** `template`, `program`: what it is for, for messages. */
  readonly role: string;
  readonly options?: TrustOptions;
}

export interface ModesFound {
  /** Faults that the config puts up with. */
  readonly warnings: readonly string[];
  readonly areStrict: boolean;
}

/** Faults go to `problems`, or, where the config puts up with them, are returned for the log. */
export function checkModes(
  config: ResolvedConfig,
  merged: MergedConfig,
  sources: readonly ConfigSource[],
  env: Environment,
  problems: Problems,
): ModesFound {
  const isTrustedGroup = createGroupTrust();
  const warnings = new Set<string>();
  const find = ({ path, options }: Trusted) => findPathFault(path, { isTrustedGroup, ...options });
  const configs = sources.flatMap((source) =>
    (source.files ?? [source.file]).map((path) => {
      const trusted = { path, place: new Place(source, []), role: 'config' };
      // That another user owns it may be on purpose; a mode that lets all the others in is not.
      const isOpen = find({ ...trusted, options: { isAnyOwner: true } }) !== undefined;
      return { ...trusted, source, fault: describe(trusted, find(trusted)), isOpen };
    }),
  );
  const isSaidIn = (source: ConfigSource) =>
    merged.strictModes.some(({ value, place }) => !value && place.source === source);
  // Whoever can write a file can write this line into it, so there it says nothing. The tools whose files the foreign ones
  // are look at no modes, and have no key for it.
  const isLenient =
    configs.some((item) => !item.isOpen && isSaidIn(item.source)) ||
    (configs.length > 0 && configs.every((item) => item.source.isForeign === true && !item.isOpen));
  const tell = (place: Place, message: string | undefined, hint = '') => {
    if (message === undefined) return;
    if (isLenient) warnings.add(message);
    else problems.add(place, `${message}${hint}`);
  };
  for (const { place, source, fault } of configs) {
    const hint = ' (strict_modes: false does not count in a file that others can write: say it in another)';
    tell(place, fault, isSaidIn(source) ? hint : '');
  }
  for (const item of trustedPaths(config, merged, env)) tell(item.place, describe(item, find(item)));
  return { warnings: [...warnings], areStrict: !isLenient };
}

/** Of what is read again while the agent runs; undefined: nobody else can change it. */
export const trustFault: FaultOf = (path, role, { isOfAnother = false, way } = {}) => {
  const options = isOfAnother ? ofAnother : { isTrustedGroup: createGroupTrust() };
  const found = way === undefined ? findPathFault(path, options) : findWayFault(way, options);
  return describe({ path, role }, found);
};

/** Owners and groups of a program of another user may be that user's own affair; what everybody can write is nobody's. */
const ofAnother: TrustOptions = { isAnyOwner: true, isTrustedGroup: () => true };

function describe(
  { path, role }: Pick<Trusted, 'path' | 'role'>,
  found: PathFault | undefined,
): string | undefined {
  if (found === undefined) return undefined;
  const what = found.path === path ? path : `${path}: ${found.path}`;
  return `${role} ${what} ${found.what}; ${found.remedy}`;
}

function* trustedPaths(config: ResolvedConfig, merged: MergedConfig, env: Environment): Generator<Trusted> {
  for (const [index, file] of config.files.entries()) {
    const place = merged.files[index]?.place;
    if (place === undefined) continue;
    if (file.source.kind === 'file')
      yield { path: file.source.path, place: place.at('template'), role: 'template' };
    for (const command of commandsOf([file.check, ...file.notify, file.settle]))
      yield* programs(command, { env }, place);
  }
  for (const [index, process] of config.processes.entries()) {
    const place = merged.processes[index]?.place;
    if (place === undefined) continue;
    for (const trusted of programs(
      process.command,
      { env, workingDir: process.workingDir },
      place.at('command'),
    ))
      yield isOwnUser(process) ? trusted : { ...trusted, options: ofAnother };
    for (const command of commandsOf([process.health])) yield* programs(command, { env }, place.at('health'));
  }
  yield* credentials(config, merged, env);
  const state = merged.stateDir?.place ?? merged.log.place;
  yield { path: config.stateDir, place: state, role: 'state_dir' };
  // Distributions give /var/log to a group of their logging program.
  const options = { isTrustedGroup: () => true };
  const { audit, log } = config;
  if (audit !== undefined && merged.audit !== undefined)
    yield { path: audit.file, place: merged.audit.place.at('file'), role: 'audit file', options };
  if (log.file !== undefined)
    yield { path: log.file, place: merged.log.place.at('file'), role: 'log file', options };
}

function* credentials(config: ResolvedConfig, merged: MergedConfig, env: Environment): Generator<Trusted> {
  for (const [index, upstream] of config.upstreams.entries()) {
    const place = merged.upstreams[index]?.place;
    if (place === undefined) continue;
    const command = commandOf(upstream);
    if (command !== undefined)
      yield* programs(command, { env, ...workingDirOf(upstream) }, place.at('command'));
    for (const { path, role, isPublic } of filesNamedIn(upstream)) {
      const isSecret = isPublic !== true && !isOfKubelet(path) && !isForOthers(upstream, path);
      yield { path, place, role, options: { isSecret } };
    }
  }
  for (const { name, proof } of config.hooks) {
    const place = merged.hooks.find((hook) => hook.name === name)?.place;
    const path = proof.kind === 'hmac' ? proof.secretFile : proof.jwksFile;
    if (place === undefined || path === undefined) continue;
    if (proof.kind === 'jwt') yield { path, place, role: 'keys' };
    else yield { path, place, role: 'credential', options: { isSecret: true } };
  }
  for (const [index, listener] of config.listeners.entries()) {
    const place = merged.listeners[index]?.place;
    if (place === undefined || listener.kind !== 'tcp' || listener.tls === undefined) continue;
    yield { path: listener.tls.keyFile, place, role: 'key', options: { isSecret: true } };
    yield { path: listener.tls.certFile, place, role: 'certificate' };
  }
}

/** What an upstream of any kind goes by each time that it is asked: its program and its files, but not those of TLS. */
export function* filesAskedWith(
  upstream: UpstreamConfig,
  env: Environment,
): Generator<Pick<Trusted, 'path' | 'role'>> {
  const command = commandOf(upstream);
  if (command !== undefined) yield* filesOfCommand(command, { env, ...workingDirOf(upstream) });
  yield* filesNamedIn({ ...upstream, tls: undefined });
}

function workingDirOf(upstream: UpstreamConfig): { readonly workingDir?: string } {
  return 'workingDir' in upstream ? { workingDir: upstream.workingDir } : {};
}

/** Those of an upstream of any kind, or of its login, with what they are. */
function* filesNamedIn(part: object): Generator<{ path: string; role: string; isPublic?: true }> {
  for (const [key, path] of filesOf(part)) {
    const { role, isPublic } = openFiles.find(({ keys }) => keys.test(key)) ?? { role: 'credential' };
    yield { path, role, ...(isPublic && { isPublic }) };
  }
}

/** What all may read. */
const openFiles: readonly { readonly keys: RegExp; readonly role: string; readonly isPublic: true }[] = [
  { keys: /^(?:ca|cert)/, role: 'certificate', isPublic: true },
  // The id of a role is a name, of which Vault keeps no secret.
  { keys: /^roleId/, role: 'credential', isPublic: true },
  { keys: /^krb5Conf/, role: 'configuration of Kerberos', isPublic: true },
];

/**
 * The files that an upstream of any kind names: keys that end in `File`, `Path` or are `path`, and all in maps whose key ends
 * in `Files`. Sinks are written, not read.
 */
function* filesOf(part: object): Generator<[key: string, path: string]> {
  for (const [key, value] of Object.entries(part)) {
    if (key === 'sinks') continue;
    if (typeof value === 'string' && isAbsolute(value) && /(?:File|Path|^path)$/.test(key))
      yield [key, value];
    else if (typeof value !== 'object' || value === null) continue;
    else if (key.endsWith('Files')) yield* Object.values(value).filter(isPath).map(secretFile);
    else yield* filesOf(value);
  }
}

const isPath = (value: unknown): value is string => typeof value === 'string' && isAbsolute(value);
const secretFile = (path: string): [key: string, path: string] => ['file', path];

/** Kubernetes gives mounted tokens mode 0644 in a container where nobody else is; it is not the operator's to choose. */
function isOfKubelet(path: string): boolean {
  return path.startsWith('/var/run/secrets/') || path.startsWith('/run/secrets/');
}

function* commandsOf(
  parts: readonly (NotifyConfig | SettleConfig | { command: readonly string[] } | undefined)[],
): Generator<readonly string[]> {
  for (const part of parts) if (part !== undefined && 'command' in part) yield part.command;
}

const interpreters = /^(?:[bdkz]?a?sh|python[\d.]*|perl|php[\d.]*|ruby|node|env)$/;
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

function* programs(command: readonly string[], from: WhereFrom, place: Place): Generator<Trusted> {
  for (const file of filesOfCommand(command, from)) yield { ...file, place };
}

export interface WhereFrom {
  /** Its PATH is where programs without a slash are looked up. */
  readonly env: Environment;
  /** Default: that of the agent. */
  readonly workingDir?: string | undefined;
}

/** The program of a command as the config has it, and, where it is an interpreter, the script. */
export function* filesOfCommand(
  command: readonly string[],
  { env, workingDir = '.' }: WhereFrom,
): Generator<Pick<Trusted, 'path' | 'role'>> {
  const [program = '', ...args] = command;
  const path = program.includes('/')
    ? resolve(workingDir, program)
    : placesInPath(program, env['PATH'] ?? defaultPath).find(isExecutable);
  if (path !== undefined) yield { path, role: 'program' };
  if (!interpreters.test(basename(program))) return;
  const script = args.find((arg) => !arg.startsWith('-'));
  for (const arg of args) {
    if (arg !== script && !arg.includes('/')) continue;
    const file = resolve(workingDir, arg);
    if (isFile(file)) yield { path: file, role: 'script' };
  }
}

export function isOwnUser({ user }: Pick<ProcessConfig, 'user'>): boolean {
  return user === undefined || findUser(user)?.uid === process.geteuid?.();
}

/** A group in which there is nobody but root and this process's user: a user's private group, an empty one. */
function createGroupTrust(): (gid: number) => boolean {
  const known = new Map<number, boolean>();
  return (gid) => {
    const own = process.geteuid?.();
    const isTrusted = known.get(gid) ?? groupMembers(gid)?.every((uid) => uid === 0 || uid === own) === true;
    known.set(gid, isTrusted);
    return isTrusted;
  };
}
