// What a rehearsal tells of each consumer of a secret: files, processes, and callers that asked for it over a socket.
import type { DrilledConsumer } from '../../api/admin.ts';
import type { Ledger } from '../../audit/ledger.ts';
import { describeError } from '../../base/errors.ts';
import { isSameEnvironment } from '../../content/environment-source.ts';
import type { RehearsedEnvironment } from '../../content/process-environment.ts';
import { makeUpOnce, simulateRotation } from '../../content/simulate.ts';
import type { DrillRequest } from '../../files/view/drill-files.ts';
import type { Core } from '../wire.ts';

type Judgement = Pick<DrilledConsumer, 'outcome' | 'note'>;

/** One made-up secret serves all. Throws `not_found` when nothing uses the secret. */
export async function drillConsumers(
  core: Core,
  ledger: Ledger | undefined,
  request: Omit<DrillRequest, 'override'>,
): Promise<DrilledConsumer[]> {
  const { key, kind } = request;
  const override = makeUpOnce((one, secret) => (one === key ? simulateRotation(secret) : undefined));
  const files = await core.files.drill({ ...request, override });
  const consumers: DrilledConsumer[] = files.map(({ destination, outcome, note, steps }) => ({
    consumer: `file:${destination}`,
    outcome,
    note,
    steps,
  }));
  for (const environment of core.environments.rehearse(key, override)) {
    const judgement = kind === 'outage' ? processInOutage : await judgeProcess(environment, core);
    consumers.push({ consumer: `process:${environment.config.name}`, ...judgement, steps: [] });
  }
  for (const { consumer } of ledger?.whoHas(key) ?? []) {
    consumers.push({ consumer, ...(kind === 'outage' ? callerInOutage : callerAfterRotation), steps: [] });
  }
  return consumers;
}

const processInOutage: Judgement = {
  outcome: 'keeps',
  note: 'it goes on with the environment that it has',
};
const callerInOutage: Judgement = { outcome: 'keeps', note: 'it is answered with the value that there is' };
const callerAfterRotation: Judgement = {
  outcome: 'unknown',
  note: 'it asked over a socket: nobody tells it, so it must ask again, or listen to /events',
};

/** A program is not started for a rehearsal, but whether it could be is looked at. */
async function judgeProcess(
  { config, before, after, failure }: RehearsedEnvironment,
  { supervisor }: Core,
): Promise<Judgement> {
  if (after === undefined) return { outcome: 'fails', note: `its environment cannot be made: ${failure}` };
  if (before !== undefined && isSameEnvironment(before, after)) {
    return { outcome: 'keeps', note: 'none of its variables would change' };
  }
  const { onRotation, overlapStart } = config;
  if (onRotation.kind === 'none') {
    return { outcome: 'fails', note: 'on_rotation: none leaves it with the old environment' };
  }
  if (onRotation.kind === 'signal') {
    const note = `it gets ${onRotation.signal}; its environment stays as it is until a restart`;
    return { outcome: 'unknown', note };
  }
  try {
    await supervisor.rehearse(config, after);
  } catch (error) {
    return { outcome: 'fails', note: `it could not be started again: ${describeError(error)}` };
  }
  const note = overlapStart
    ? 'a new one is started with the new environment, and replaces it when it is healthy'
    : 'it is restarted with the new environment';
  return { outcome: 'restarts', note };
}
