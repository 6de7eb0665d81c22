// What a rendering would change, without changing it: a unified diff for each destination in which no secret is readable,
// neither a new one nor one that an earlier rendering left in the file.
import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describeError } from '../../base/errors.ts';
import { readEntry } from '../../base/paths/controlled-file.ts';
import { standardStreamOf } from '../../base/paths/special-file.ts';
import { anyChange, until } from '../../base/time/until.ts';
import { makeUpOnce, simulateAll } from '../../content/simulate.ts';
import { type Execution, type MissingDependency, valuesOf } from '../../content/template-consumer.ts';
import { readTemplate } from '../../content/template-loader.ts';
import type { Store } from '../../store/store.ts';
import type { Accounts } from '../disk/accounts.ts';
import { atDestination } from '../disk/destination.ts';
import type { Output } from '../disk/stage.ts';
import type { FileRegister } from '../file-register.ts';
import type { ManagedFile } from '../file-set.ts';
import { outputsOf } from '../outputs-of.ts';
import { missingWords } from './file-status.ts';
import { lineDiff } from './line-diff.ts';
import { changesOf, isKnownNotToCome, type Refusals } from './render-once.ts';

export interface FileDiff {
  readonly destination: string;
  readonly change: 'none' | 'create' | 'content' | 'attributes' | 'missing' | 'failed';
  /** Unified, with file names; empty unless the content changes. */
  readonly diff: string;
  /** What of owner and mode changes, or why there is no answer. */
  readonly message: string | undefined;
}

interface DiffOptions {
  readonly register: FileRegister;
  readonly store: Store;
  readonly accounts: Accounts;
  readonly signal: AbortSignal;
  readonly refusals: Refusals;
}

const masked = '[masked]';
const token = /[\p{L}\p{N}]+/gu;
const modeBits = 0o7777;
const mostCompared = 256 * 1024 * 1024;

/** Waits for the secrets that are still to come, until `signal` is aborted. */
export async function diffFiles(options: DiffOptions): Promise<FileDiff[]> {
  const diffs: FileDiff[] = [];
  const files = options.register.files();
  const executions = await executeAll(files, options);
  for (const file of files) {
    const execution = executions.get(file);
    const { destination } = file.config;
    if (execution instanceof Error) {
      diffs.push({ destination, change: 'failed', diff: '', message: describeError(execution) });
    } else if (execution === undefined || execution.missing.length > 0) {
      const message = (execution?.missing ?? [])
        .map((one) => describeMissing(one, options.refusals))
        .join('; ');
      diffs.push({ destination, change: 'missing', diff: '', message });
    } else diffs.push(...(await diffFile(file, execution, options.accounts)));
  }
  return diffs;
}

async function executeAll(
  files: readonly ManagedFile[],
  { register, store, signal, refusals }: DiffOptions,
): Promise<Map<ManagedFile, Execution | Error>> {
  const executions = new Map<ManagedFile, Execution | Error>();
  // Patience that has ended is an answer too: what came until then is shown.
  await until(
    anyChange(refusals.changes, changesOf(store)),
    async () => {
      for (const file of files) executions.set(file, await executeFile(file, register));
      return [...executions.values()].every((execution) => isDecided(execution, refusals));
    },
    signal,
  ).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  return executions;
}

async function executeFile(file: ManagedFile, register: FileRegister): Promise<Execution | Error> {
  try {
    file.consumer ??= await register.load(file);
    return file.consumer.execute();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function isDecided(execution: Execution | Error, refusals: Refusals): boolean {
  if (execution instanceof Error) return true;
  return execution.missing.every((one) => isKnownNotToCome(one, refusals));
}

async function diffFile(file: ManagedFile, execution: Execution, accounts: Accounts): Promise<FileDiff[]> {
  try {
    const show = await createMask(file, execution);
    const diffs: FileDiff[] = [];
    for (const output of await outputsOf(file.config, execution, accounts)) {
      diffs.push(await diffOutput(output, show));
    }
    return diffs;
  } catch (error) {
    return [
      { destination: file.config.destination, change: 'failed', diff: '', message: describeError(error) },
    ];
  }
}

async function diffOutput(output: Output, show: (line: string) => string): Promise<FileDiff> {
  const { destination } = output;
  if (standardStreamOf(destination) === 'nothing')
    return { destination, change: 'none', diff: '', message: undefined };
  // Parents that a rendering would make are not made for a look.
  const isNew =
    output.createParents && (await stat(dirname(destination)).catch(() => undefined)) === undefined;
  const isOpen = standardStreamOf(destination) !== undefined;
  const { existing, before } =
    isNew || isOpen ? { existing: undefined, before: Buffer.alloc(0) } : await readDestination(output);
  // Nothing stays in a pipe that could be compared.
  if (existing?.isFIFO() === true) return { destination, change: 'none', diff: '', message: undefined };
  const attributes = existing === undefined ? [] : changedAttributes(output, existing);
  const message = attributes.length === 0 ? undefined : attributes.join(', ');
  if (existing !== undefined && before.equals(output.bytes)) {
    return { destination, change: message === undefined ? 'none' : 'attributes', diff: '', message };
  }
  const body = lineDiff(before.toString('utf8'), output.bytes.toString('utf8'), show);
  const from = existing === undefined ? '/dev/null' : destination;
  return {
    destination,
    change: existing === undefined ? 'create' : 'content',
    diff: `--- ${from}\n+++ ${destination}\n${body}`,
    message,
  };
}

function readDestination(output: Output): Promise<{ existing: Stats | undefined; before: Buffer }> {
  return atDestination({ ...output, createParents: false }, async ({ existing, name }, folder) => {
    if (existing?.isFile() !== true) return { existing, before: Buffer.alloc(0) };
    const { bytes } = await readEntry({ folder, name, existing }, mostCompared);
    return { existing, before: bytes };
  });
}

function changedAttributes(
  output: Output,
  existing: { readonly mode: number; readonly uid: number; readonly gid: number },
): string[] {
  const changes: string[] = [];
  const mode = existing.mode & modeBits;
  if (mode !== output.mode) changes.push(`mode ${octal(mode)} to ${octal(output.mode)}`);
  if (output.uid !== undefined && output.uid !== existing.uid) {
    changes.push(`owner ${existing.uid} to ${output.uid}`);
  }
  if (output.gid !== undefined && output.gid !== existing.gid) {
    changes.push(`group ${existing.gid} to ${output.gid}`);
  }
  return changes;
}

/**
 * Shows only words that are known to be no secret: those of the template itself, and those that stay the same when every
 * secret has another value. So a value is masked also where it was encoded, cut or joined, and an old value in the file
 * too, which nobody knows any more.
 */
async function createMask(file: ManagedFile, execution: Execution): Promise<(line: string) => string> {
  const source = await sourceText(file);
  const known = new Set(source.match(token));
  const values = valuesOf(execution.versions.values()).map((value) => value.text());
  const secret = new Set(values.flatMap((value) => value.match(token) ?? []));
  const simulated = new Set(simulatedOutput(file).match(token));
  for (const word of execution.output.toString('utf8').match(token) ?? []) {
    if (simulated.has(word) && !secret.has(word)) known.add(word);
  }
  return (line) => {
    let text = line;
    for (const value of values) if (!known.has(value)) text = text.replaceAll(value, '\0');
    text = text.replaceAll(token, (word) => (known.has(word) ? word : '\0'));
    return text.replaceAll(/\0(?:[^\s\0]{0,2}\0)*/g, masked);
  };
}

/** Empty when the template cannot make anything of other values: then only its own words are shown. */
function simulatedOutput(file: ManagedFile): string {
  try {
    return (
      file.consumer?.rehearse(makeUpOnce((_key, secret) => simulateAll(secret))).output.toString('utf8') ?? ''
    );
  } catch {
    return '';
  }
}

async function sourceText(file: ManagedFile): Promise<string> {
  const text = await readTemplate(file.config).catch(() => '');
  return text.toString();
}

function describeMissing(missing: MissingDependency, refusals: Refusals): string {
  return `${missing.name}: ${missing.message ?? refusals.saidOf(missing.key) ?? missingWords[missing.reason]}`;
}

function octal(mode: number): string {
  return `0${mode.toString(8)}`;
}
