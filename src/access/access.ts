// The rules in force: decisions remembered for each caller until the rules change, and word of the change to whoever
// keeps something open for a caller. Deciding itself is access-policy.ts.
import { BoundedMap } from '../base/bounded-map.ts';
import { type Changes, createChangePoint } from '../base/time/until.ts';
import type { AccessConfig } from '../config/resolved.ts';
import {
  type AccessPolicy,
  type AccountNames,
  type Ask,
  compilePolicy,
  type Decision,
  decide,
  explainDecision,
  type RuleExplanation,
  type Standing,
  standingOf,
} from './access-policy.ts';
import type { Caller } from './caller.ts';

export interface Access {
  decide(caller: Caller, ask: Ask): Decision;
  /** Shortcut for the commonest question; the same as `decide` with `kind: 'secret'`. */
  decideSecret(caller: Caller, name: string): Decision;
  /** Of this moment: what is set aside for whom. */
  standingOf(caller: Caller): Standing;
  explain(caller: Caller, ask: Ask): { decision: Decision; rules: RuleExplanation[] };
  /** Holds for the very next decision. */
  replace(rules: AccessConfig): void;
  /** After each `replace`. */
  readonly onChange: Changes;
}

interface AccessOptions {
  rules: AccessConfig;
  accounts: AccountNames;
  /** The agent's own uid. */
  ownUid: number;
}

type Remembered = WeakMap<Caller, Map<string, Decision>>;

/** Decisions remembered of one caller; a caller who asks for more than that starts afresh. */
const mostRemembered = 256;
/** What is longer is decided each time: the caller chose its length, and it would stay. */
const longestRemembered = 512;

export function createAccess(options: AccessOptions): Access {
  const { accounts, ownUid } = options;
  let policy: AccessPolicy = compilePolicy(options.rules, accounts, ownUid);
  // Apart: what is asked for is the caller's own word, and a name could be spelled like another question.
  let secrets: Remembered = new WeakMap();
  let requests: Remembered = new WeakMap();
  const changed = createChangePoint();

  function remember(remembered: Remembered, caller: Caller, about: string, ask: Ask): Decision {
    let decisions = remembered.get(caller);
    if (decisions === undefined) {
      decisions = new BoundedMap(mostRemembered);
      remembered.set(caller, decisions);
    }
    let decision = decisions.get(about);
    if (decision === undefined) {
      decision = decide(policy, caller, ask);
      if (about.length <= longestRemembered) decisions.set(about, decision);
    }
    return decision;
  }

  function decideSecret(caller: Caller, name: string): Decision {
    return secrets.get(caller)?.get(name) ?? remember(secrets, caller, name, { kind: 'secret', name });
  }

  return {
    decideSecret,
    decide(caller, ask) {
      if (ask.kind === 'secret') return decideSecret(caller, ask.name);
      if (ask.kind !== 'vault') return decide(policy, caller, ask);
      // No method has a line break in it.
      return remember(requests, caller, `${ask.method}\n${ask.path}`, ask);
    },
    standingOf: (caller) => standingOf(policy, caller),
    explain: (caller, ask) => ({
      decision: decide(policy, caller, ask),
      rules: explainDecision(policy, caller, ask),
    }),
    replace(rules) {
      policy = compilePolicy(rules, accounts, ownUid);
      secrets = new WeakMap();
      requests = new WeakMap();
      changed.tell();
    },
    onChange: changed.changes,
  };
}
