// Listeners, access rules and the audit trail as the agent uses them, and the rules between their keys.
import { isIPv4, isIPv6 } from 'node:net';
import { isLoopback } from '../../base/system/local-address.ts';
import { longestSocketPath } from '../../base/system/unix-address.ts';
import type { Item } from '../item.ts';
import type { Place, Problems } from '../problems.ts';
import type {
  AccessRuleConfig,
  AnySecretConfig,
  AuditConfig,
  ClientMatch,
  ListenerConfig,
  TokenFileRights,
} from '../resolved.ts';
import type { AccessRuleInput, AuditInput, ListenerInput } from '../schema/serving-schema.ts';
import { checkNamePattern } from './name-pattern.ts';
import { oneOfKeys } from './one-of-keys.ts';
import { checkKnown, checkUniqueNames, type ResolveContext } from './resolve-context.ts';

const unixKeys = ['mode', 'user', 'group'] as const;
const tcpKeys = ['token_file', 'token_env', 'token_headers', 'allow_remote', 'tls'] as const;
type TokenFileInput = Exclude<ListenerInput['token_file'], string | undefined>;

export function resolveListener(
  { value, place }: Item<ListenerInput>,
  context: ResolveContext,
): ListenerConfig | undefined {
  const common = {
    place: context.nameOf(place),
    serve: [...new Set(value.serve)],
    maxConnections: value.max_connections,
    requireRequestHeader: value.require_request_header,
    enableQuit: value.enable_quit,
    isOpen: value.open,
    useAutoAuthToken: tokenUse(value.use_auto_auth_token),
    anySecret: resolveAnySecret(value, place, context),
  };
  if (value.open) checkOpen(value, place, context);
  const kind = oneOfKeys(context.problems, place, value, ['unix', 'tcp', 'systemd']);
  if (kind !== 'unix') refuseKeys(value, unixKeys, 'unix', place, context);
  if (kind !== 'tcp') refuseKeys(value, tcpKeys, 'tcp', place, context);
  if (kind === 'unix') return { ...common, ...resolveUnix(value, place, context) };
  if (kind === 'systemd') return { ...common, kind, name: value.systemd ?? '' };
  const tcp = kind === 'tcp' ? resolveTcp(value, place, context) : undefined;
  return tcp && { ...common, ...tcp };
}

/** Whoever reaches an open listener is nobody that rules could speak of. */
function checkOpen(value: ListenerInput, place: Place, { problems }: ResolveContext): void {
  const [other] = value.serve.filter((dialect) => dialect !== 'vault' && dialect !== 'metrics');
  if (other !== undefined) {
    problems.add(
      place.at('serve'),
      `an open listener serves vault and metrics alone, got ${other}; give it a listener of its own`,
    );
  }
  for (const key of ['token_file', 'token_env'] as const) {
    if (value[key] !== undefined)
      problems.add(place.at(key), 'an open listener asks for no token; remove this or open', 'key');
  }
}

function resolveAnySecret(
  { aws, serve }: ListenerInput,
  place: Place,
  context: ResolveContext,
): AnySecretConfig | undefined {
  if (aws === undefined) return undefined;
  if (!serve.includes('aws'))
    context.problems.add(place.at('aws'), 'this listener does not serve aws; add it to serve', 'key');
  checkKnown(
    context.problems,
    place.at('aws').at('upstream'),
    'upstream',
    aws.upstream,
    context.upstreamNames,
  );
  return {
    upstream: aws.upstream,
    ttlMs: aws.ttl,
    cacheSize: aws.cache_size,
    servesStale: aws.serve_stale,
    pathPrefix: aws.path_prefix,
  };
}

function tokenUse(value: boolean | 'force'): 'fallback' | 'never' | 'force' {
  if (value === 'force') return 'force';
  return value ? 'fallback' : 'never';
}

function refuseKeys(
  value: ListenerInput,
  keys: readonly (keyof ListenerInput)[],
  kind: string,
  place: Place,
  { problems }: ResolveContext,
): void {
  for (const key of keys) {
    if (value[key] !== undefined)
      problems.add(place.at(key), `this key is for ${kind} listeners; remove it`, 'key');
  }
}

function resolveUnix(value: ListenerInput, place: Place, context: ResolveContext) {
  const written = value.unix ?? '';
  const isAbstract = written.startsWith('@');
  const path = isAbstract ? written : context.pathAt(place, written);
  const bytes = Buffer.byteLength(path);
  if (bytes > longestSocketPath) {
    context.problems.add(
      place.at('unix'),
      `expected at most ${longestSocketPath} bytes, got ${bytes}; the kernel takes no longer path for a socket`,
    );
  }
  if (isAbstract) refuseKeys(value, unixKeys, 'unix (an abstract address has no file)', place, context);
  context.claim(path, place.at('unix'));
  return {
    kind: 'unix' as const,
    path,
    mode: value.mode ?? 0o600,
    user: value.user,
    group: value.group,
  };
}

const hostAndPort = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/;

function resolveTcp(value: ListenerInput, place: Place, context: ResolveContext) {
  const address = addressOf(value.tcp ?? '');
  if (address === undefined) {
    context.problems.add(place.at('tcp'), 'expected ADDRESS:PORT such as 127.0.0.1:8100 or [::1]:8100');
    return undefined;
  }
  const { host, port } = address;
  checkReach(value, host, place, context.problems);
  if (!checkTokenKeys(value, place, context.problems)) return undefined;
  const file = typeof value.token_file === 'string' ? { path: value.token_file } : value.token_file;
  const tokenFile = context.optionalPathAt(place, file?.path);
  if (tokenFile !== undefined) context.claim(tokenFile, place.at('token_file'));
  if (port !== 0) context.claim(`tcp ${host}:${port}`, place.at('tcp'));
  return {
    kind: 'tcp' as const,
    host,
    port,
    tokenFile,
    tokenFileRights: file && tokenFileRights(file, place.at('token_file'), context.problems),
    tokenVariables: value.token_env,
    tokenHeaders: value.token_headers?.map((header) => header.toLowerCase()),
    allowRemote: value.allow_remote ?? false,
    tls: value.tls && {
      certFile: context.pathAt(place, value.tls.cert_file),
      keyFile: context.pathAt(place, value.tls.key_file),
    },
  };
}

function addressOf(text: string): { host: string; port: number } | undefined {
  const [, six, four, digits] = hostAndPort.exec(text) ?? [];
  const host = six ?? four ?? '';
  const port = Number(digits);
  const isAddress = host === 'localhost' || isIPv4(host) || isIPv6(host);
  return isAddress && port <= 65_535 ? { host, port } : undefined;
}

/** Who can come to it at all. */
function checkReach(value: ListenerInput, host: string, place: Place, problems: Problems): void {
  const isMeant = value.allow_remote === true && (value.tls !== undefined || value.open);
  if (host !== 'localhost' && !isLoopback(host) && !isMeant) {
    problems.add(
      place.at('tcp'),
      `${host} is not loopback: secrets leave this host only with allow_remote: true and tls`,
    );
  }
  if (value.serve.includes('systemd')) {
    problems.add(
      place.at('serve'),
      'systemd asks over unix sockets only; move this dialect to a unix listener',
    );
  }
}

/** False: there is nothing that its callers could show. */
function checkTokenKeys(value: ListenerInput, place: Place, problems: Problems): boolean {
  const { token_file: file, token_env: variables } = value;
  const isForHooks = value.serve.every((dialect) => dialect === 'hooks');
  if (isForHooks && (file ?? variables) !== undefined) {
    problems.add(
      place.at('token_file'),
      'a listener for hooks asks for no token: each hook says what its messages bring; remove this',
      'key',
    );
  }
  if (file !== undefined && variables !== undefined) {
    problems.add(place.at('token_env'), 'the token is written to token_file; remove one of the two', 'key');
  }
  if (file !== undefined || variables !== undefined || value.open || isForHooks) return true;
  problems.add(
    place,
    'missing token_file, expected a path: the agent writes the token there that tcp callers show',
    'key',
  );
  return false;
}

function tokenFileRights(
  { owner, group, mode = group === undefined ? 0o600 : 0o640 }: TokenFileInput,
  place: Place,
  problems: Problems,
): TokenFileRights {
  if ((mode & 0o137) !== 0) {
    const got = `0${mode.toString(8)}`;
    problems.add(place.at('mode'), `expected 0600, 0640 or less, nothing for all others, got "${got}"`);
  }
  return { owner, group, mode };
}

export function resolveRules(
  rules: readonly Item<AccessRuleInput>[],
  listeners: readonly ListenerConfig[],
  context: ResolveContext,
): AccessRuleConfig[] {
  checkUniqueNames(context.problems, rules);
  return rules.map(({ value, place }) => {
    // Where any secret is served by its id, a rule speaks of ids too.
    if (!listeners.some(({ anySecret }) => anySecret !== undefined))
      for (const [index, name] of value.allow.entries())
        checkNamePattern(name, place.at('allow', index), context);
    return {
      name: value.name,
      client: resolveClient(value.client, place.at('client'), listeners, context),
      allow: value.allow,
      vault: value.vault.map(({ path, methods }) => ({ path: ruledPath(path), methods })),
      admin: value.admin,
    };
  });
}

function resolveClient(
  client: AccessRuleInput['client'],
  place: Place,
  listeners: readonly ListenerConfig[],
  context: ResolveContext,
): ClientMatch {
  const named = Object.fromEntries(Object.entries(client).filter(([, value]) => value !== undefined));
  if (Object.keys(named).length === 0) {
    context.problems.add(
      place,
      'expected at least one of user, uid, group, gid, exe, unit, container, token: an empty client would fit everybody',
    );
  }
  const { token } = client;
  if (token === undefined) return named;
  const listener = listeners.find(
    (other, index) =>
      other.kind === 'tcp' &&
      (other.tokenFile === context.pathAt(place, token) ||
        other.place === token ||
        // Another tool's words are their places, and its rules are made here.
        (place.source.nameOf !== undefined && token === `listeners[${index}]`) ||
        other.place === `${token} of ${place.source.file}`),
  );
  if (listener === undefined) {
    // A listener that is wrong itself has been told of; it is not unknown.
    if (listeners.length < context.names.listenerCount) return named;
    const known = listeners.filter((other) => other.kind === 'tcp').map((other) => other.place);
    const remedy = known.length === 0 ? 'there is no tcp listener' : `known: ${known.join(', ')}`;
    context.problems.add(place.at('token'), `unknown tcp listener ${JSON.stringify(token)}; ${remedy}`);
    return named;
  }
  return { ...named, token: listener.place };
}

export function resolveAudit(
  item: Item<AuditInput> | undefined,
  context: ResolveContext,
): AuditConfig | undefined {
  if (item === undefined) return undefined;
  const { value, place } = item;
  const file = context.pathAt(place, value.file);
  context.claim(file, place.at('file'));
  return { file, onFailure: value.on_failure, maxBytes: value.max_size, keepFiles: value.keep };
}

/** `//NAMESPACE/PATH` stays: it names what is outside of the upstream's own namespace. */
function ruledPath(path: string): string {
  return path.startsWith('//') ? path : path.replace(/^\/?(?:v1\/)?/, '');
}
