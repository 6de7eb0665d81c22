// Copies of the token for other programs: each new token goes to every sink, again and again until it is written or replaced.

import { type Drift, isWorthTelling, nextDrift, repairDelayMs } from '../../../base/drift-policy.ts';
import { describeError, LatchkeyError } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import { readControlledFile, TrustFault } from '../../../base/paths/controlled-file.ts';
import {
  differenceOf,
  type FileDifference,
  type FilePrint,
  printAt,
  printOf,
  printOfWritten,
} from '../../../base/paths/file-print.ts';
import { createFolderWatch } from '../../../base/paths/folder-watch.ts';
import { pathErrorText } from '../../../base/paths/path-trust.ts';
import type { SecretValue } from '../../../base/secret-value.ts';
import type { FaultOf } from '../../../base/surroundings.ts';
import { isJsonObject, stringifyJson } from '../../../base/text/json.ts';
import { backoffDelayMs } from '../../../base/time/backoff.ts';
import type { Clock } from '../../../base/time/clock.ts';
import type { SinkStatus } from '../../secret-source.ts';
import { answerJson, answerTexts, quoteTexts } from '../answer-policy.ts';
import type { SinkConfig } from '../config/vault-config.ts';
import type { VaultClient } from '../vault-client.ts';
import { createSinkKeys, parseReaderKey, type SinkKeys, sealEnvelope } from './sink-envelope.ts';
import { writeSinkFile } from './write-sink-file.ts';

export interface TokenSinks {
  /**
   * What each sink is to hold from now on: written again when somebody removes or changes it. A wrapped copy names the
   * accessor, by which its reader can revoke what it has not opened.
   */
  write(token: SecretValue, accessor?: string): void;
  /** Resolves when the last token is in every sink. */
  written(): Promise<void>;
  status(): readonly SinkStatus[];
  close(): Promise<void>;
}

export interface TokenSinksOptions {
  readonly sinks: readonly SinkConfig[];
  readonly client: VaultClient;
  readonly namespace: string | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly faultOf?: FaultOf | undefined;
  /** Called when a sink was written, or not, other than before. */
  onChange(): void;
}

const longestKey = 16 * 1024;
const retryBackoff = { minMs: 1000, maxMs: 60_000 };

interface SinkState {
  readonly config: SinkConfig;
  /** As it was written last. */
  print?: FilePrint | undefined;
  /** Somebody may have changed it, and it is about to be looked at. */
  isSuspect?: boolean;
  /** What somebody else did to it last. */
  drift?: Drift;
  /** Wall time in milliseconds. */
  writtenAt?: number;
  /** Why the token that it is to hold is not there. */
  error?: string | undefined;
  keys?: SinkKeys;
  /** Kept, because readers may remove the file once it was read. */
  reader?: Buffer;
}

export function createTokenSinks(options: TokenSinksOptions): TokenSinks {
  const { client, clock, random, logger, namespace, onChange } = options;
  const sinks: SinkState[] = options.sinks.map((config) => ({ config }));
  let round = new AbortController();
  let writing: Promise<unknown> = Promise.resolve();
  let current: SecretValue | undefined;
  let accessor: string | undefined;
  // A wrapped token is taken once, and whoever took it may remove the file.
  const lasting = new Map(
    sinks.flatMap((sink) =>
      sink.config.wrapTtlSeconds === undefined ? [[sink.config.path, sink] as const] : [],
    ),
  );
  const watch = createFolderWatch({ logger, onEvent: (path) => void lookAt(path) });

  /** Events of our own writing find nothing; of those that come together one is looked at. */
  async function lookAt(path: string): Promise<void> {
    const sink = lasting.get(path);
    const { signal } = round;
    if (sink === undefined || current === undefined || sink.isSuspect === true) return;
    sink.isSuspect = true;
    await writing;
    sink.isSuspect = false;
    if (signal.aborted || sink.print === undefined) return;
    const what = differenceOf(sink.print, await printAt(path, 'kept'));
    // Another look may have been faster.
    if (what === undefined || signal.aborted || sink.print === undefined) return;
    sink.print = undefined;
    await putRight(sink, what, signal);
  }

  /** As of files: whoever changes it again and again must not have it written at full speed. */
  async function putRight(sink: SinkState, what: FileDifference, signal: AbortSignal): Promise<void> {
    const { path } = sink.config;
    const drift = nextDrift(sink.drift, what, clock.wall());
    sink.drift = drift;
    if (isWorthTelling(drift))
      logger.warn({ path }, 'somebody else removed or changed a sink: the token is written again');
    await clock.sleep(repairDelayMs(drift), signal).catch(() => {
      // Aborted: what comes instead is written.
    });
    const token = current;
    if (signal.aborted || token === undefined) return;
    writing = writing.then(() => writeUntilDone(sink, token, signal));
  }

  async function writeUntilDone(sink: SinkState, token: SecretValue, signal: AbortSignal): Promise<void> {
    const { path } = sink.config;
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        const content = await contentFor(sink, token, signal);
        if (signal.aborted) return;
        const written = await writeSinkFile(sink.config, content);
        // Where somebody was faster than this look, the next one finds the difference.
        sink.print = (await printOfWritten(path, written, 'kept')) ?? printOf(written);
        if (attempt > 1) logger.info({ path }, 'the sink is written again');
        else logger.debug({ path }, 'the token is in the sink');
        [sink.writtenAt, sink.error] = [clock.wall(), undefined];
        onChange();
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (attempt === 1) logger.error({ path, error: describeError(error) }, 'a sink was not written');
        sink.error = describeError(error);
        if (attempt === 1) onChange();
        await clock.sleep(backoffDelayMs(attempt, retryBackoff, random), signal).catch(() => {
          // Aborted: the loop ends.
        });
      }
    }
  }

  /** Wrapped first, then encrypted. */
  async function contentFor(sink: SinkState, token: SecretValue, signal: AbortSignal): Promise<Buffer> {
    const { wrapTtlSeconds, dhPath, deriveKey, aad } = sink.config;
    const plain = wrapTtlSeconds === undefined ? token.bytes() : await wrap(token, wrapTtlSeconds, signal);
    if (dhPath === undefined) return plain;
    sink.reader ??= parseReaderKey(await readKeyFile(dhPath, options.faultOf), dhPath);
    sink.keys ??= createSinkKeys();
    return sealEnvelope(plain, { keys: sink.keys, reader: sink.reader, deriveKey, aad });
  }

  async function wrap(token: SecretValue, ttlSeconds: number, signal: AbortSignal): Promise<Buffer> {
    const answer = await client.request({
      method: 'POST',
      path: 'sys/wrapping/wrap',
      body: { token: token.text() },
      headers: { 'x-vault-wrap-ttl': `${ttlSeconds}s` },
      token,
      namespace,
      signal,
      priority: 'interactive',
    });
    const info = answer.status === 200 ? answerJson(answer)?.['wrap_info'] : undefined;
    if (isJsonObject(info)) {
      const named = accessor === undefined ? info : { ...info, wrapped_accessor: accessor };
      return Buffer.from(`${stringifyJson(named)}\n`, 'utf8');
    }
    const said = quoteTexts(answerTexts(answer), [token.text()]);
    throw new LatchkeyError('denied', `sys/wrapping/wrap: refused with ${answer.status}${said}`, {
      remedy: 'allow update on "sys/wrapping/wrap" in a policy of this login',
    });
  }

  return {
    write(token, tokenAccessor) {
      [current, accessor] = [token, tokenAccessor];
      watch.set(lasting.keys());
      round.abort();
      round = new AbortController();
      const { signal } = round;
      const before = writing;
      // One round at a time: an older token never overwrites a newer one.
      writing = before.then(() => Promise.all(sinks.map((sink) => writeUntilDone(sink, token, signal))));
    },
    async written() {
      await writing;
    },
    status: () =>
      sinks.map(({ config: { path }, writtenAt, error }) => ({
        path,
        ...(writtenAt === undefined ? {} : { writtenAt }),
        ...(error === undefined ? {} : { error }),
      })),
    async close() {
      watch.close();
      round.abort();
      await writing;
    },
  };
}

async function readKeyFile(path: string, faultOf: FaultOf | undefined): Promise<string> {
  try {
    // Whoever reads the sink has written it.
    const judging = { faultOf, role: 'dh_path', isOfAnother: true };
    return (await readControlledFile(path, { ...judging, maxBytes: longestKey })).bytes.toString('utf8');
  } catch (error) {
    if (error instanceof TrustFault) throw new LatchkeyError('file_failed', error.message, { cause: error });
    throw new LatchkeyError('file_failed', `dh_path: ${path} cannot be read (${pathErrorText(error)})`, {
      cause: error,
      remedy: 'let the reader of the sink write its public key there',
    });
  }
}
