// What there is to see of the demo, as the page gets it. Figures are counted at the payment provider, in the audit files or by
// the agent itself; no key and no password is ever among them: keys have numbers here.
import type { RotationStory } from '../../api/timeline.ts';

export interface DemoView {
  readonly doing: 'nothing' | 'rotating' | 'leaked';
  /** Of the old key at the provider; null: none is about to end. */
  readonly oldKeyEndsInMs: number | null;
  readonly deploymentMs: number;
  readonly latchkey: SideView;
  readonly hardCoded: SideView;
  readonly thief: ThiefView | null;
  readonly database: DatabaseView | null;
  readonly access: AccessView;
  /** Newest first. */
  readonly log: readonly AccessChapter[];
  readonly rotation: RotationStory | null;
  readonly audit: AuditView | null;
  /** Why the last thing that was done did not come to its end. */
  readonly trouble: string | null;
}

export interface SideView {
  readonly services: readonly ServiceView[];
  readonly broken: number;
  /** Of all its services together. */
  readonly downMs: number;
  readonly deployments: number;
}

export interface ServiceView {
  readonly name: string;
  readonly how: string;
  readonly state: 'working' | 'broken' | 'denied';
  readonly isDeploying: boolean;
  /** 0: none yet. */
  readonly keyNumber: number;
  readonly calls: number;
  readonly failed: number;
  readonly downMs: number;
  /** After the last new key was in the vault. */
  readonly movedAfterMs: number | null;
}

/** Somebody who has a copy of the key that leaked. */
export interface ThiefView {
  readonly accepted: number;
  readonly refused: number;
  /** After the leak was noticed; null: it still works. */
  readonly deadAfterMs: number | null;
}

export interface DatabaseView {
  readonly livesSeconds: number;
  readonly endsAt: string | null;
  readonly logins: number;
  readonly users: number;
  readonly failed: number;
}

/** Of the refund worker. */
export interface AccessView {
  readonly isTaken: boolean;
  readonly denied: number;
  /** From the click until the first call that was decided by the new rule. */
  readonly tookMs: number | null;
}

/** What was asked since something was done, until the next thing was. */
export interface AccessChapter {
  readonly title: string;
  /** Empty for the first. */
  readonly began: string;
  /** What was asked last is first. */
  readonly rows: readonly AccessRow[];
  /** How many more there were of others. */
  readonly others: number;
}

/** Lines of the audit files that say the same. */
export interface AccessRow {
  /** Of the first and of the last of them. */
  readonly since: string;
  readonly time: string;
  readonly who: string;
  readonly what: string;
  readonly isAllowed: boolean;
  readonly reason: string;
  readonly count: number;
}

export interface AuditView {
  readonly lines: number;
  readonly isWhole: boolean;
  /** What was found in a copy of which one letter was changed. */
  readonly tampered: string;
}
