import t from 'tap';
import {
  nextStep,
  type Step,
  type StepContext,
  type StepResult,
} from '../../../src/files/transaction/transaction-policy.ts';

const plain: StepContext = { canRollBack: false, owesNotify: false };
const canRollBack: StepContext = { canRollBack: true, owesNotify: false };
const owing: StepContext = { canRollBack: false, owesNotify: true };

const table: readonly [Step, StepResult, StepContext, Step][] = [
  ['stage', 'ok', plain, 'check'],
  ['stage', 'missing', plain, 'waiting'],
  ['stage', 'failed', canRollBack, 'failing'],
  ['stage', 'same', plain, 'settle'],
  ['stage', 'same', owing, 'notify'],
  ['check', 'ok', plain, 'commit'],
  ['check', 'failed', canRollBack, 'failing'],
  ['commit', 'ok', plain, 'notify'],
  ['commit', 'failed', canRollBack, 'failing'],
  ['notify', 'ok', plain, 'settle'],
  ['notify', 'failed', plain, 'owed'],
  ['notify', 'failed', canRollBack, 'rollback'],
  ['settle', 'ok', plain, 'retire'],
  ['settle', 'failed', plain, 'owed'],
  ['settle', 'failed', canRollBack, 'rollback'],
  ['rollback', 'ok', canRollBack, 'failing'],
  ['retire', 'ok', plain, 'current'],
  ['current', 'ok', plain, 'current'],
];

for (const [step, result, context, next] of table) {
  t.test(`${step}, ${result}${context === canRollBack ? ', can roll back' : ''}: ${next}`, (t) => {
    t.equal(nextStep(step, result, context), next);
    t.end();
  });
}
