// One file of secrets opened: read, unsealed with its key, decrypted where SOPS wrote it, understood. What was read is kept
// for a moment only, so that many secrets of one file cost one reading and nothing stays open longer than it is used.

import { LatchkeyError } from '../../base/errors.ts';
import type { Environment, FaultOf } from '../../base/surroundings.ts';
import type { Clock } from '../../base/time/clock.ts';
import { createEarliestTimer } from '../../base/time/earliest-timer.ts';
import { type FileFormat, parseFormat } from './file-format.ts';
import type { FileKeyConfig } from './file-kind.ts';
import { loadSealKey } from './load-seal-key.ts';
import { readSecretFile, secretFileIdentity } from './read-secret-file.ts';
import { isAgeFile, type SealKey } from './seal-key.ts';
import { findSops, openSops } from './sops.ts';

export interface OpenedDocument {
  /** `raw`: the whole file is one value. */
  readonly content: Buffer | ReturnType<typeof parseFormat>;
  readonly identity: string;
}

export interface SecretDocument {
  /** Several calls at about the same time share one reading. */
  open(): Promise<OpenedDocument>;
  /** Whether it is still the file that was read. */
  identity(): Promise<string>;
  /** What was read and the key are forgotten: one of the files has changed. */
  forget(): void;
}

export interface SecretDocumentOptions {
  readonly path: string;
  readonly format: FileFormat;
  readonly key: FileKeyConfig | undefined;
  readonly maxBytes: number;
  readonly env: Environment;
  readonly clock: Clock;
  readonly faultOf?: FaultOf | undefined;
}

const keptMs = 1000;

export function createSecretDocument(options: SecretDocumentOptions): SecretDocument {
  const { path, format, maxBytes, clock, faultOf } = options;
  let opening: Promise<OpenedDocument> | undefined;
  const forgetting = createEarliestTimer(clock, forget);

  async function open(): Promise<OpenedDocument> {
    const { bytes, identity } = await readSecretFile(path, { holds: 'secrets', maxBytes, faultOf });
    const plain = isAgeFile(bytes) ? await unsealed(bytes) : bytes;
    if (format === 'raw') return { content: plain, identity };
    const document = parseFormat(format, plain, path);
    const sops = findSops(document);
    if (sops === undefined) return { content: document, identity };
    return { content: await openSops(document, sops, await key(), path), identity };
  }

  async function unsealed(bytes: Buffer): Promise<Buffer> {
    const sealKey = await key();
    const plain = await sealKey.tryOpen(bytes);
    if (plain !== undefined) return plain;
    throw new LatchkeyError('login_failed', `${path}: sealed for another key than ${sealKey.describe()}`, {
      remedy: 'check key of this upstream',
    });
  }

  async function key(): Promise<SealKey> {
    if (options.key !== undefined) return await loadSealKey(options.key, options.env, { faultOf });
    throw new LatchkeyError('login_failed', `${path}: sealed, and this upstream has no key`, {
      remedy: 'set key: { file: … }',
    });
  }

  function forget(): void {
    opening = undefined;
    forgetting.cancel();
  }

  function openOnce(): Promise<OpenedDocument> {
    if (opening !== undefined) return opening;
    const mine = open();
    opening = mine;
    const done = () => {
      if (opening === mine) forgetting.within(keptMs);
    };
    mine.then(done, () => opening === mine && forget());
    return mine;
  }

  const identity = () => secretFileIdentity(path, { holds: 'secrets', maxBytes });

  return {
    async open() {
      const isShared = opening !== undefined;
      const opened = await openOnce();
      // It may have changed since, and nothing told it yet.
      if (!isShared || (await identity()) === opened.identity) return opened;
      forget();
      return await openOnce();
    },
    identity,
    forget,
  };
}
