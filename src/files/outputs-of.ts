// From one execution of a template to the files that are to be there: the destination, and what `writeToFile` asked for.
import { LatchkeyError } from '../base/errors.ts';
import { readEntry } from '../base/paths/controlled-file.ts';
import { keyAt } from '../base/text/key-at.ts';
import type { FileConfig } from '../config/resolved.ts';
import type { Execution } from '../content/template-consumer.ts';
import type { WriteFileRequest } from '../template/exec/function-table.ts';
import type { Accounts } from './disk/accounts.ts';
import { atDestination } from './disk/destination.ts';
import type { Output } from './disk/stage.ts';

/** No right to run as another. */
const largestMode = 0o777;
const longestAppended = 16 * 1024 * 1024;

/** The first is the destination's. Throws `file_failed` when an owner or group does not exist. */
export async function outputsOf(
  config: FileConfig,
  execution: Execution,
  accounts: Accounts,
): Promise<Output[]> {
  const main: Output = {
    place: config.place,
    destination: config.destination,
    bytes: execution.output,
    mode: config.mode,
    uid: idOf(config.owner, (name) => accounts.uid(name, keyAt(config.place, 'owner'))),
    gid: idOf(config.group, (name) => accounts.gid(name, keyAt(config.place, 'group'))),
    staging: config.staging,
    createParents: config.createParents,
    isPipe: config.fifo,
    inPlace: config.inPlace,
    backup: config.backup,
  };
  const others = new Map<string, Output>();
  for (const request of execution.writes) {
    const output = await sideOutput(config, request, others.get(request.path), accounts);
    others.set(request.path, output);
  }
  return [main, ...others.values()];
}

/** A later write of one execution to the same path goes over the one before, or on from its end. */
async function sideOutput(
  config: FileConfig,
  request: WriteFileRequest,
  before: Output | undefined,
  accounts: Accounts,
): Promise<Output> {
  const place = `${keyAt(config.place, 'template')}: writeToFile ${request.path}`;
  const uid = idOf(request.owner || undefined, (name) => accounts.uid(name, place));
  const wish = { place, destination: request.path, uid, createParents: true, isReal: true };
  return {
    place,
    destination: request.path,
    bytes: request.isAppended ? await appended(request, before, wish) : Buffer.from(request.content),
    mode: modeOf(request.mode, place),
    uid,
    gid: idOf(request.group || undefined, (name) => accounts.gid(name, place)),
    staging: config.staging,
    createParents: true,
    isReal: true,
    inPlace: false,
    backup: false,
  };
}

/** What ends with the content already is left as it is, or each execution would make the file longer. */
async function appended(
  request: WriteFileRequest,
  before: Output | undefined,
  wish: Parameters<typeof atDestination>[0],
): Promise<Buffer> {
  if (before !== undefined) return Buffer.concat([before.bytes, request.content]);
  const existing = await atDestination(wish, async ({ name, existing: there }, folder) => {
    if (there === undefined) return Buffer.alloc(0);
    return (await readEntry({ folder, name, existing: there }, longestAppended)).bytes;
  });
  const tail = existing.subarray(Math.max(0, existing.length - request.content.length));
  return tail.equals(request.content) ? existing : Buffer.concat([existing, request.content]);
}

function modeOf(text: string, place: string): number {
  const mode = /^[0-7]{1,5}$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
  if (mode <= largestMode) return mode;
  throw new LatchkeyError(
    'file_failed',
    `${place}: expected an octal mode such as 0640, got ${JSON.stringify(text)}`,
  );
}

function idOf(name: string | undefined, resolve: (name: string) => number): number | undefined {
  return name === undefined ? undefined : resolve(name);
}
