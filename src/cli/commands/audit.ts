// `latchkey audit verify`: the hash chain of the audit files, from the config or by name. With the config the running
// agent is asked where the chain ends, for lines cut off the end leave a chain that is whole.

import { verifyAuditFiles, verifyRefusals } from '../../agent/offline/verify-audit-files.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { counted } from '../../base/text/counted.ts';
import { createTypedClient } from '../../client/typed-client.ts';
import { loadConfig } from '../../config/load.ts';
import type { ResolvedConfig } from '../../config/resolved.ts';
import { socketOfListeners } from '../config-socket.ts';
import { printJson, say } from '../output.ts';

interface AuditVerifyOptions {
  config?: string[] | undefined;
  files: string[];
  json: boolean;
}

interface ChainEnd {
  readonly seq: number;
  readonly hash: string | null;
}

/** 0: the chain is whole; 1: a line was changed, removed or added. */
export async function runAuditVerify({ config, files, json }: AuditVerifyOptions): Promise<number> {
  const fromConfig = files.length > 0 ? undefined : loadConfig(config ?? [], { checks: 'none' });
  const path = fromConfig?.audit?.file;
  if (fromConfig !== undefined && path === undefined) {
    throw new LatchkeyError('usage', 'audit verify: the config has no audit file', {
      remedy: 'name the files',
    });
  }
  // First the end, then the files: the agent goes on writing meanwhile.
  const told = fromConfig === undefined ? undefined : await endToldByAgent(fromConfig);
  const result = await verifyAuditFiles(path ?? files, told);
  const refusals = path === undefined ? undefined : await verifyRefusals(path);
  if (json) printJson({ ...result, comparedWithAgent: told !== undefined, refusals });
  for (const { file, line, what } of [...result.problems, ...(refusals?.problems ?? [])]) {
    say(`${file}:${line}: ${what}`);
  }
  say(`${verdictOn(result)}${endOf(result.endsOrderly, told)}`);
  if (refusals !== undefined) say(`refusals ${verdictOn(refusals)}`);
  return result.isIntact && refusals?.isIntact !== false ? 0 : 1;
}

function verdictOn({
  isIntact,
  lines,
  firstSeq = 1,
  head,
}: Awaited<ReturnType<typeof verifyAuditFiles>>): string {
  const missing = firstSeq - 1;
  const verdict = `${isIntact ? 'intact' : 'NOT intact'}: ${counted(lines, 'line')}, the last is number ${head.seq}`;
  if (missing === 0) return verdict;
  return `${verdict}; ${counted(missing, 'line')} before number ${firstSeq} ${missing === 1 ? 'is' : 'are'} gone with rotated files`;
}

function endOf(endsOrderly: boolean, told: ChainEnd | undefined): string {
  if (told !== undefined) return `; the running agent was at ${told.seq}`;
  return endsOrderly ? '' : '; the last line is not that of an orderly stop, and no agent was asked';
}

/** Undefined where no agent answers, or none that writes this file. */
async function endToldByAgent({ listeners, audit }: ResolvedConfig): Promise<ChainEnd | undefined> {
  const socketPath = socketOfListeners(listeners);
  if (socketPath === undefined) return undefined;
  try {
    const { file, seq, hash } = (await createTypedClient(socketPath).status()).audit;
    return file === audit?.file && seq > 0 ? { seq, hash } : undefined;
  } catch {
    // No agent runs, or it does not let us ask: the files alone have to do, and the last sentence says so.
    return undefined;
  }
}
