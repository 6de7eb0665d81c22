// The rules in force: decisions remembered for each caller until the rules change, and word of the change to whoever
// keeps something open for a caller. Deciding itself is access-policy.ts.
import {
  type AccessPolicy,
  type AccessRules,
  type AccountNames,
  type Ask,
  compilePolicy,
  type Decision,
  decide,
  explainDecision,
  type RuleExplanation,
} from './access-policy.ts';
import type { Caller } from './caller.ts';

export interface Access {
  decide(caller: Caller, ask: Ask): Decision;
  /** Shortcut for the commonest question; the same as `decide` with `kind: 'secret'`. */
  decideSecret(caller: Caller, name: string): Decision;
  explain(caller: Caller, ask: Ask): { decision: Decision; rules: RuleExplanation[] };
  /** Holds for the very next decision. */
  replace(rules: AccessRules): void;
  /** Called after each `replace`; returns what ends it. */
  onChange(listener: () => void): () => void;
}

interface AccessOptions {
  rules: AccessRules;
  accounts: AccountNames;
  /** The agent's own uid. */
  ownUid: number;
}

/** Names of one caller's remembered decisions; a caller who asks for more than that starts afresh. */
const rememberedNames = 256;

export function createAccess(options: AccessOptions): Access {
  const { accounts, ownUid } = options;
  let policy: AccessPolicy = compilePolicy(options.rules, accounts, ownUid);
  let remembered = new WeakMap<Caller, Map<string, Decision>>();
  const listeners = new Set<() => void>();

  function decideSecret(caller: Caller, name: string): Decision {
    let decisions = remembered.get(caller);
    if (decisions === undefined || decisions.size > rememberedNames) {
      decisions = new Map();
      remembered.set(caller, decisions);
    }
    let decision = decisions.get(name);
    if (decision === undefined) {
      decision = decide(policy, caller, { kind: 'secret', name });
      decisions.set(name, decision);
    }
    return decision;
  }

  return {
    decideSecret,
    decide: (caller, ask) =>
      ask.kind === 'secret' ? decideSecret(caller, ask.name) : decide(policy, caller, ask),
    explain: (caller, ask) => ({
      decision: decide(policy, caller, ask),
      rules: explainDecision(policy, caller, ask),
    }),
    replace(rules) {
      policy = compilePolicy(rules, accounts, ownUid);
      remembered = new WeakMap();
      for (const listener of [...listeners]) listener();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
