// What a set of policies allows on a path: exact paths before patterns, the most specific pattern alone counts, deny
// wins. Pure; the order of patterns is the one of Vault's documentation on policies ("priority matching").
import type { JsonObject, JsonValue } from '../../../../src/base/text/json.ts';
import { globMatches } from './glob.ts';
import { pathMatches } from './path-match.ts';
import type { PathRule } from './policy-language.ts';

interface AclQuestion {
  readonly path: string;
  readonly capability: string;
  readonly needsSudo: boolean;
  /** For `subscribe`: the type of the event, which a rule may limit. */
  readonly eventType?: string;
  /** The request's fields, for rules on parameters; absent when they do not matter. */
  readonly data?: JsonObject;
}

export interface Acl {
  allows(question: AclQuestion): boolean;
  /** Sorted as Vault shows them; `["root"]` or `["deny"]` at the ends. */
  capabilities(path: string): string[];
  /** True when any rule gives anything at or below `prefix`: what the mount preflight asks. */
  reachesInto(prefix: string): boolean;
}

interface Merged {
  readonly path: string;
  readonly capabilities: Set<string>;
  readonly rules: PathRule[];
}

export const rootAcl: Acl = {
  allows: () => true,
  capabilities: () => ['root'],
  reachesInto: () => true,
};

export function createAcl(rules: readonly PathRule[]): Acl {
  const merged = mergeByPath(rules);
  const exact = new Map([...merged].filter(([path]) => !isPattern(path)));
  const patterns = [...merged.values()]
    .filter((item) => isPattern(item.path))
    .sort((a, b) => comparePatterns(b.path, a.path));
  const find = (path: string): Merged | undefined =>
    exact.get(path) ??
    (path.endsWith('/') ? exact.get(path.slice(0, -1)) : undefined) ??
    patterns.find((item) => pathMatches(item.path, path));
  return {
    allows(question) {
      const rule = find(question.path);
      if (rule === undefined || rule.capabilities.has('deny')) return false;
      if (!rule.capabilities.has(question.capability)) return false;
      if (question.needsSudo && !rule.capabilities.has('sudo')) return false;
      const { eventType } = question;
      if (eventType !== undefined && !rule.rules.some((item) => letsEvent(item, eventType))) return false;
      return (
        question.data === undefined || rule.rules.some((item) => parametersPass(item, question.data ?? {}))
      );
    },
    capabilities(path) {
      const rule = find(path);
      if (rule === undefined || rule.capabilities.has('deny') || rule.capabilities.size === 0)
        return ['deny'];
      return [...rule.capabilities].sort();
    },
    reachesInto: (prefix) =>
      [...merged.values()].some(
        (item) =>
          !item.capabilities.has('deny') &&
          item.capabilities.size > 0 &&
          (item.path.startsWith(prefix) || patternReaches(item.path, prefix)),
      ),
  };
}

function letsEvent(rule: PathRule, eventType: string): boolean {
  return rule.subscribeEventTypes?.some((glob) => globMatches(glob, eventType)) ?? false;
}

function mergeByPath(rules: readonly PathRule[]): Map<string, Merged> {
  const merged = new Map<string, Merged>();
  for (const rule of rules) {
    const item = merged.get(rule.path) ?? { path: rule.path, capabilities: new Set<string>(), rules: [] };
    for (const capability of rule.capabilities) item.capabilities.add(capability);
    item.rules.push(rule);
    merged.set(rule.path, item);
  }
  return merged;
}

function isPattern(path: string): boolean {
  return path.endsWith('*') || path.split('/').includes('+');
}

// `prefix` ends in a slash: does the pattern match something below it?
function patternReaches(pattern: string, prefix: string): boolean {
  const isPrefix = pattern.endsWith('*');
  const wanted = (isPrefix ? pattern.slice(0, -1) : pattern).split('/');
  const got = prefix.replace(/\/$/, '').split('/');
  if (!isPrefix && wanted.length < got.length) return false;
  return got.every((part, index) => {
    const segment = wanted[index];
    if (segment === undefined) return isPrefix;
    if (segment === '+') return true;
    return isPrefix && index === wanted.length - 1 ? part.startsWith(segment) : part === segment;
  });
}

/** Positive when `a` is the more specific. */
export function comparePatterns(a: string, b: string): number {
  const first = (path: string): number => path.search(/\+|\*$/);
  const plusCount = (path: string): number => path.split('/').filter((segment) => segment === '+').length;
  return (
    first(a) - first(b) ||
    Number(!a.endsWith('*')) - Number(!b.endsWith('*')) ||
    plusCount(b) - plusCount(a) ||
    a.length - b.length ||
    (a < b ? -1 : a > b ? 1 : 0)
  );
}

function parametersPass(rule: PathRule, data: JsonObject): boolean {
  const given = new Map(Object.entries(data).map(([key, value]) => [key.toLowerCase(), value]));
  for (const name of rule.requiredParameters ?? []) if (!given.has(name.toLowerCase())) return false;
  const { deniedParameters: denied, allowedParameters: allowed } = rule;
  if (denied) {
    if (Object.hasOwn(denied, '*') && given.size > 0) return false;
    for (const [name, value] of given) {
      const values = denied[name];
      if (values !== undefined && (values.length === 0 || listHas(values, value))) return false;
    }
  }
  if (!allowed || Object.keys(allowed).length === 0) return true;
  for (const [name, value] of given) {
    const values = allowed[name] ?? allowed['*'];
    if (values === undefined) return false;
    if (values.length > 0 && !listHas(values, value)) return false;
  }
  return true;
}

function listHas(values: readonly JsonValue[], value: JsonValue): boolean {
  return values.some((item) => {
    if (typeof item === 'string' && typeof value === 'string' && item.endsWith('*'))
      return value.startsWith(item.slice(0, -1));
    return JSON.stringify(item) === JSON.stringify(value);
  });
}
