// Who may have what: a pure decision with its reason. Knows nothing of sockets, files or the time.
import type { AccessConfig, ClientMatch } from '../config/resolved.ts';
import type { Caller, ProcessCaller } from './caller.ts';

/** Names to ids; the policy is told, it does not look up. */
export interface AccountNames {
  uidOf(user: string): number | undefined;
  gidOf(group: string): number | undefined;
}

/** What a caller wants. `list` and `metrics` need any rule that matches them; what they see is then filtered by `secret`. */
export type Ask =
  | { readonly kind: 'secret'; readonly name: string }
  | { readonly kind: 'vault'; readonly method: string; readonly path: string }
  | { readonly kind: 'admin' }
  | { readonly kind: 'list' }
  | { readonly kind: 'metrics' };

export interface Decision {
  readonly isAllowed: boolean;
  /** One clause for the audit line and for people. */
  readonly reason: string;
  /** The name of the rule that allowed it. */
  readonly rule: string | undefined;
}

/** `owner`: may do all without a rule, or administer the agent. `ruled`: a rule speaks of them. `stranger`: all others. */
export type Standing = 'owner' | 'ruled' | 'stranger';

export interface AccessPolicy {
  readonly isStrict: boolean;
  readonly ownUid: number;
  readonly rules: readonly CompiledRule[];
}

interface CompiledRule {
  readonly name: string;
  readonly tests: readonly ClientTest[];
  readonly token: string | undefined;
  readonly allows: (name: string) => boolean;
  readonly vault: readonly {
    readonly matches: (path: string) => boolean;
    /** Of the path, up to its first wildcard. */
    readonly start: string;
    readonly methods: ReadonlySet<string>;
  }[];
  readonly isAdmin: boolean;
}

/** Says why the caller does not match, or nothing when they do. */
type ClientTest = (caller: Caller) => string | undefined;

export interface RuleExplanation {
  readonly rule: string;
  readonly matchesCaller: boolean;
  readonly allows: boolean;
  readonly why: string;
}

/** Resolves user and group names once; a name that nobody has makes a rule that matches nobody. */
export function compilePolicy(config: AccessConfig, accounts: AccountNames, ownUid: number): AccessPolicy {
  const rules = config.rules.map((rule) => ({
    name: rule.name,
    tests: clientTests(rule.client, accounts),
    token: rule.client.token,
    allows: anyOf(rule.allow.map(wildcard)),
    vault: rule.vault.map((entry) => ({
      matches: wildcard(entry.path),
      start: entry.path.split('*', 1)[0] ?? '',
      methods: new Set(entry.methods.map((method) => method.toUpperCase())),
    })),
    isAdmin: rule.admin,
  }));
  return { isStrict: config.strict, ownUid, rules };
}

/** The first rule, in the config's order, that matches the caller and allows what they ask; without one: denied. */
export function decide(policy: AccessPolicy, caller: Caller, ask: Ask): Decision {
  if (caller.kind === 'unknown') return denied(`the caller is unknown: ${caller.why}`);
  if (caller.kind === 'open') return decideOpen(ask);
  const owner = ownerReason(policy, caller);
  if (owner !== undefined) return { isAllowed: true, reason: owner, rule: undefined };
  const matching = policy.rules.filter((rule) => mismatch(rule, caller) === undefined);
  const allowing = matching.find((rule) => ruleAllows(rule, ask));
  if (allowing !== undefined) {
    return { isAllowed: true, reason: `rule ${allowing.name}`, rule: allowing.name };
  }
  if (matching.length === 0) return denied(`no rule matches the caller${foreignness(policy, caller)}`);
  const names = matching.map((rule) => rule.name).join(', ');
  return denied(`no rule that matches the caller (${names}) allows ${describeAsk(ask)}`);
}

export function standingOf(policy: AccessPolicy, caller: Caller): Standing {
  const { isAllowed, rule } = decide(policy, caller, { kind: 'list' });
  if (!isAllowed) return 'stranger';
  const isAdmin = rule === undefined || decide(policy, caller, { kind: 'admin' }).isAllowed;
  return isAdmin ? 'owner' : 'ruled';
}

/** The listener serves no other dialects than these; secrets have names, and names have rules. */
function decideOpen(ask: Ask): Decision {
  if (ask.kind === 'secret') return denied('an open listener serves no secrets by name');
  return { isAllowed: true, reason: 'the listener is open', rule: undefined };
}

/** Why each rule does or does not allow it, in the config's order, for `latchkey access test`. */
export function explainDecision(policy: AccessPolicy, caller: Caller, ask: Ask): RuleExplanation[] {
  return policy.rules.map((rule) => {
    const why = caller.kind === 'unknown' ? 'the caller is unknown' : mismatch(rule, caller);
    const allows = why === undefined && ruleAllows(rule, ask);
    const verb = allows ? 'allows' : 'does not allow';
    return {
      rule: rule.name,
      matchesCaller: why === undefined,
      allows,
      why: why ?? `matches the caller and ${verb} ${describeAsk(ask)}`,
    };
  });
}

/**
 * Root and the agent's own user, in the agent's own pid and user namespace, may do all: they could read its memory. The token file is theirs alone, so
 * its holder counts as one of them, unless a rule speaks of that token: then it was given away and the rules hold.
 */
function ownerReason(
  policy: AccessPolicy,
  caller: Exclude<Caller, { kind: 'unknown' | 'open' }>,
): string | undefined {
  if (policy.isStrict) return undefined;
  if (caller.kind === 'process') {
    // Their like of another namespace (a container's, most often) is nobody's owner here.
    if (caller.isForeign) return undefined;
    if (caller.uid === 0) return 'root';
    return caller.uid === policy.ownUid ? "the agent's own user" : undefined;
  }
  // systemd asks as root for every unit: once there are rules, they say which unit may have what.
  if (caller.kind === 'unit') return policy.rules.length === 0 ? 'a unit, and there are no rules' : undefined;
  const isGoverned = policy.rules.some(
    (rule) => rule.token !== undefined && caller.tokens.includes(rule.token),
  );
  return isGoverned || caller.isGivenAway === true ? undefined : 'holder of the token file';
}

function foreignness({ ownUid }: AccessPolicy, caller: Caller): string {
  if (caller.kind !== 'process' || !caller.isForeign || (caller.uid !== 0 && caller.uid !== ownUid))
    return '';
  return `, who is uid ${caller.uid} of another namespace than the agent's`;
}

function mismatch(rule: CompiledRule, caller: Caller): string | undefined {
  if (rule.tests.length === 0) return 'the rule names no client';
  for (const test of rule.tests) {
    const why = test(caller);
    if (why !== undefined) return why;
  }
  return undefined;
}

function ruleAllows(rule: CompiledRule, ask: Ask): boolean {
  if (ask.kind === 'list' || ask.kind === 'metrics') return true;
  if (ask.kind === 'admin') return rule.isAdmin;
  if (ask.kind === 'secret') return rule.allows(ask.name);
  if (isPreflight(rule, ask)) return true;
  return rule.vault.some(
    (entry) =>
      (entry.methods.has(ask.method.toUpperCase()) || entry.methods.has('*')) &&
      (entry.matches(ask.path) || (isList(ask) && entry.matches(`${ask.path}/`))),
  );
}

/** What is listed is a folder, and a vault's policies see it with its slash: `secret/metadata/*` speaks of it too. */
function isList({ method, path }: Ask & { kind: 'vault' }): boolean {
  return method.toUpperCase() === 'LIST' && !path.endsWith('/');
}

const mountOf = /^(?:(.+)\/)?sys\/internal\/ui\/mounts\/(.+)$/;

/**
 * What Vault lets every token ask, and its clients ask before anything else: what they are, and of what kind the mount of a
 * path is that they may use.
 */
function isPreflight(rule: CompiledRule, { method, path }: Ask & { kind: 'vault' }): boolean {
  if (method.toUpperCase() !== 'GET' || rule.vault.length === 0) return false;
  if (path === 'auth/token/lookup-self') return true;
  const [, namespace, rest] = mountOf.exec(path) ?? [];
  if (rest === undefined) return false;
  const asked = namespace === undefined ? rest : `${namespace}/${rest}`;
  return rule.vault.some(({ start }) => sharesMount(start, asked));
}

/** The first segment of a path is of its mount, and a mount may have more of them: one must go on from the other. */
function sharesMount(start: string, asked: string): boolean {
  const [mount = ''] = start.split('/');
  return mount !== '' && start.length > mount.length && asked.split('/', 1)[0] === mount;
}

function clientTests(client: ClientMatch, accounts: AccountNames): ClientTest[] {
  const tests: ClientTest[] = [];
  const ofProcess = (test: (caller: ProcessCaller) => string | undefined): void => {
    tests.push((caller) => (caller.kind === 'process' ? test(caller) : 'the caller is not a local process'));
  };
  const { user, uid, group, gid, exe, unit, container, token } = client;
  if (user !== undefined) ofProcess(userTest(user, accounts.uidOf(user)));
  if (uid !== undefined) ofProcess((caller) => differs('uid', uid, caller.uid));
  if (group !== undefined) ofProcess(groupTest(group, accounts.gidOf(group)));
  if (gid !== undefined) ofProcess(groupTest(String(gid), gid));
  if (exe !== undefined) ofProcess((caller) => differs('exe', exe, caller.exe));
  if (unit !== undefined) {
    const matches = wildcard(unit);
    tests.push((caller) => {
      if (caller.kind !== 'process' && caller.kind !== 'unit') return 'the caller is not a local process';
      return caller.unit !== undefined && matches(caller.unit)
        ? undefined
        : differs('unit', unit, caller.unit);
    });
  }
  if (container !== undefined) {
    ofProcess((caller) =>
      container.length >= 12 && caller.container?.startsWith(container)
        ? undefined
        : differs('container', container, caller.container),
    );
  }
  if (token !== undefined) {
    tests.push((caller) =>
      caller.kind === 'token' && caller.tokens.includes(token)
        ? undefined
        : `token: expected that of ${token}, the caller showed another or none`,
    );
  }
  return tests;
}

function userTest(user: string, uid: number | undefined): (caller: ProcessCaller) => string | undefined {
  if (uid === undefined) return () => `user: there is no user ${JSON.stringify(user)}`;
  return (caller) => (caller.uid === uid ? undefined : differs('user', `${user} (uid ${uid})`, caller.uid));
}

function groupTest(group: string, gid: number | undefined): (caller: ProcessCaller) => string | undefined {
  if (gid === undefined) return () => `group: there is no group ${JSON.stringify(group)}`;
  return (caller) =>
    caller.gid === gid || caller.groups.includes(gid)
      ? undefined
      : differs('group', `${group} (gid ${gid})`, [caller.gid, ...caller.groups].join(' '));
}

function differs(
  what: string,
  expected: string | number,
  got: string | number | undefined,
): string | undefined {
  if (expected === got) return undefined;
  return `${what}: expected ${expected}, got ${got ?? 'none that is known'}`;
}

/** `*` stands for any run of characters, wherever it is. */
function wildcard(pattern: string): (text: string) => boolean {
  if (!pattern.includes('*')) return (text) => text === pattern;
  const [start = '', ...rest] = pattern.split('*');
  const end = rest.pop() ?? '';
  return (text) => {
    if (!text.startsWith(start) || !text.endsWith(end) || text.length < start.length + end.length)
      return false;
    let from = start.length;
    const limit = text.length - end.length;
    for (const part of rest) {
      const found = text.indexOf(part, from);
      if (found < 0 || found + part.length > limit) return false;
      from = found + part.length;
    }
    return true;
  };
}

function anyOf(tests: readonly ((text: string) => boolean)[]): (text: string) => boolean {
  return (text) => tests.some((test) => test(text));
}

function describeAsk(ask: Ask): string {
  if (ask.kind === 'secret') return `secret ${JSON.stringify(ask.name)}`;
  if (ask.kind === 'vault') return `${ask.method} ${ask.path}`;
  return ask.kind;
}

function denied(reason: string): Decision {
  return { isAllowed: false, reason, rule: undefined };
}
