// The steps of a rotation and what follows which: stage → check → commit → notify → settle → retire. Pure, so that every
// way through is a line in a table; see docs/guides/rotation.md.

/** Where a file stands: a step that runs, or one of the states between transactions. */
export type Step =
  | 'stage'
  | 'check'
  | 'commit'
  | 'notify'
  | 'settle'
  | 'retire'
  | 'rollback'
  /** A secret is missing; a transaction begins when it arrives. */
  | 'waiting'
  /** Nothing to do until something changes. */
  | 'current'
  /** The old file stays; tried again after a while, and at the next change. */
  | 'failing'
  /** The new file stays, but its program was not told or is not well; only that is tried again. */
  | 'owed';

/** `same`: staged, and every destination has its bytes already. `missing`: a template lacks a secret. */
export type StepResult = 'ok' | 'same' | 'missing' | 'failed';

export interface StepContext {
  /** A file of the set says `on_failure: rollback`, and this transaction has something to go back to. */
  readonly canRollBack: boolean;
  /** Notifications are owed, from this commit or from an earlier one. */
  readonly owesNotify: boolean;
}

/** The steps in which a transaction of files is busy with them. */
export const busySteps: ReadonlySet<Step> = new Set([
  'stage',
  'check',
  'commit',
  'notify',
  'settle',
  'retire',
  'rollback',
]);

export function nextStep(step: Step, result: StepResult, context: StepContext): Step {
  switch (step) {
    case 'stage':
      if (result === 'missing') return 'waiting';
      if (result === 'failed') return 'failing';
      if (result === 'same') return context.owesNotify ? 'notify' : 'settle';
      return 'check';
    case 'check':
      return result === 'ok' ? 'commit' : 'failing';
    case 'commit':
      return result === 'ok' ? 'notify' : 'failing';
    case 'notify':
    case 'settle':
      if (result !== 'ok') return context.canRollBack ? 'rollback' : 'owed';
      return step === 'notify' ? 'settle' : 'retire';
    case 'rollback':
      return 'failing';
    case 'retire':
      return 'current';
    default:
      return step;
  }
}
