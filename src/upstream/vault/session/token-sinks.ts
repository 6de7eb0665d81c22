// Copies of the token for other programs: each new token goes to every sink, again and again until it is written or replaced.

import { backoffDelayMs } from '../../../base/backoff.ts';
import type { Clock } from '../../../base/clock.ts';
import { describeError, LatchkeyError } from '../../../base/errors.ts';
import { isJsonObject, stringifyJson } from '../../../base/json.ts';
import type { Logger } from '../../../base/logger.ts';
import { readControlledFile } from '../../../base/paths/controlled-file.ts';
import { pathErrorText } from '../../../base/paths/path-trust.ts';
import type { SecretValue } from '../../../base/secret-value.ts';
import type { SinkConfig } from '../../../config/upstreams/vault-config.ts';
import { answerJson, answerTexts, quoteTexts } from '../answer-policy.ts';
import type { VaultClient } from '../vault-client.ts';
import { createSinkKeys, parseReaderKey, type SinkKeys, sealEnvelope } from './sink-envelope.ts';
import { writeSinkFile } from './write-sink-file.ts';

export interface TokenSinks {
  write(token: SecretValue): void;
  /** Resolves when the last token is in every sink. */
  written(): Promise<void>;
  close(): Promise<void>;
}

export interface TokenSinksOptions {
  readonly sinks: readonly SinkConfig[];
  readonly client: VaultClient;
  readonly namespace: string | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

const longestKey = 16 * 1024;
const retryBackoff = { minMs: 1000, maxMs: 60_000 };

interface SinkState {
  readonly config: SinkConfig;
  keys?: SinkKeys;
  /** Kept, because readers may remove the file once it was read. */
  reader?: Buffer;
}

export function createTokenSinks(options: TokenSinksOptions): TokenSinks {
  const { client, clock, random, logger, namespace } = options;
  const sinks: SinkState[] = options.sinks.map((config) => ({ config }));
  let round = new AbortController();
  let writing: Promise<unknown> = Promise.resolve();

  async function writeUntilDone(sink: SinkState, token: SecretValue, signal: AbortSignal): Promise<void> {
    const { path } = sink.config;
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        const content = await contentFor(sink, token, signal);
        if (signal.aborted) return;
        await writeSinkFile(sink.config, content);
        logger.debug({ path }, 'the token is in the sink');
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (attempt === 1) logger.error({ path, error: describeError(error) }, 'a sink was not written');
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
    sink.reader ??= parseReaderKey(await readKeyFile(dhPath), dhPath);
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
    if (isJsonObject(info)) return Buffer.from(`${stringifyJson(info)}\n`, 'utf8');
    const said = quoteTexts(answerTexts(answer), [token.text()]);
    throw new LatchkeyError('denied', `sys/wrapping/wrap: refused with ${answer.status}${said}`, {
      remedy: 'allow update on "sys/wrapping/wrap" in a policy of this login',
    });
  }

  return {
    write(token) {
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
    async close() {
      round.abort();
      await writing;
    },
  };
}

async function readKeyFile(path: string): Promise<string> {
  try {
    return (await readControlledFile(path, { maxBytes: longestKey })).bytes.toString('utf8');
  } catch (error) {
    throw new LatchkeyError('file_failed', `dh_path: ${path} cannot be read (${pathErrorText(error)})`, {
      cause: error,
      remedy: 'let the reader of the sink write its public key there',
    });
  }
}
