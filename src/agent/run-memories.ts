// What an agent and what `latchkey run` know of the runs before them in a state folder, and tell the next. An agent goes on
// with what the agent before it left; a `run` is over with its program, and ends nothing that an agent left.
import { join } from 'node:path';
import type { Surroundings } from '../base/surroundings.ts';
import { readBootClock } from '../base/time/boot-clock.ts';
import type { ResolvedConfig } from '../config/resolved.ts';
import type { ConsumerIndex } from '../content/consumer-index.ts';
import { fileConsumerId } from '../files/file-register.ts';
import type { LeaseEngineOptions } from '../lease/lease-engine.ts';
import { openLogin } from '../lease/run/hand-over.ts';
import { loadMemoryKey } from '../lease/run/memory-key.ts';
import { createStateFile, type LoginRecord, stateLeftAt } from '../lease/run/state-file.ts';
import type { UpstreamTable } from './upstream-table.ts';

type RunMemory = Required<Pick<LeaseEngineOptions, 'stateFile'>> &
  Pick<LeaseEngineOptions, 'handOver' | 'livesOn'>;

const ofAgents = 'leases.json';
const ofRuns = 'run-leases.json';

/** What a `run` that was killed left is nobody's but the next start's. */
export function memoryOfAgent(
  stateFolder: string,
  { env, logger, clock }: Surroundings,
  { originOf }: UpstreamTable,
): RunMemory {
  const path = join(stateFolder, ofAgents);
  const key = loadMemoryKey({ statePath: path, env, logger });
  return {
    stateFile: createStateFile({
      ...{ path, adopts: join(stateFolder, ofRuns), logger, clock },
      bootClock: readBootClock,
    }),
    handOver: key && { key, originOf },
  };
}

interface RunOptions {
  readonly config: ResolvedConfig;
  readonly index: ConsumerIndex;
  readonly upstreams: UpstreamTable;
}

/**
 * The leases of this run alone, for the next start to revoke if it is killed. The files of an agent that has stopped may be
 * in use: what this run puts into such files lives on.
 */
export function memoryOfRun(
  stateFolder: string,
  surroundings: Surroundings,
  { config, index, upstreams }: RunOptions,
): RunMemory {
  const { logger, clock } = surroundings;
  const path = join(stateFolder, ofAgents);
  const times = { logger, clock, bootClock: readBootClock };
  const { leases, logins } = stateLeftAt({ path, ...times });
  borrowLogins(logins, upstreams, loadMemoryKey({ ...surroundings, statePath: path }));
  const areFilesInUse = leases.some(({ onExit, expiresAt }) => onExit === 'keep' && expiresAt > clock.wall());
  const staying = new Set(
    config.files.flatMap((file) => (file.removeOnExit ? [] : [fileConsumerId(file.destination)])),
  );
  return {
    stateFile: createStateFile({ path: join(stateFolder, ofRuns), ...times }),
    livesOn: ({ users }) =>
      areFilesInUse && [...users].some((key) => index.usersOf(key).some((id) => staying.has(id))),
  };
}

/** Of upstreams that could not be logged in to otherwise, what the agent did that with being used up. */
function borrowLogins(
  records: readonly LoginRecord[],
  { byName, originOf }: UpstreamTable,
  key: Buffer | undefined,
): void {
  if (key === undefined) return;
  for (const record of records) {
    const upstream = byName().get(record.upstream)?.login;
    const login = upstream?.canRepeat === false ? openLogin(record, { key, originOf }) : undefined;
    if (login !== undefined) upstream?.borrow(login);
  }
}
