// One HTTP request over a unix socket, on a connection of its own. Light on purpose: node:http alone.
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { LatchkeyError } from '../errors.ts';
import { errnoOf } from './errno.ts';

export interface SocketRequest {
  /** `@name` is an abstract address, as in the config and by ss(8). */
  readonly socketPath: string;
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
  /** Of the answer; default: whatever comes. */
  readonly maxBytes?: number;
}

export interface SocketAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** The kernel's queue of connections is full for as long as somebody floods the socket: it has room again and again. */
const againMs = 5;
const mostWaitMs = 5000;

/** Gives any answer as it came; rejects with Node's error when there is none, with `upstream_answer_invalid` when it is too long. */
export async function askSocket(options: SocketRequest): Promise<SocketAnswer> {
  const end = performance.now() + mostWaitMs;
  for (;;) {
    try {
      return await askOnce(options);
    } catch (error) {
      const isFull = errnoOf(error) === 'EAGAIN';
      if (!isFull || performance.now() > end || options.signal?.aborted === true) throw error;
      await sleep(againMs);
    }
  }
}

/** As Node takes it. */
export function socketAddress(path: string): string {
  return path.startsWith('@') ? `\0${path.slice(1)}` : path;
}

function askOnce(options: SocketRequest): Promise<SocketAnswer> {
  const { socketPath, method = 'GET', path, headers = {}, body, signal } = options;
  const { maxBytes = Number.POSITIVE_INFINITY } = options;
  const { promise, resolve, reject } = Promise.withResolvers<SocketAnswer>();
  const sent = request(
    {
      socketPath: socketAddress(socketPath),
      method,
      path,
      headers: { host: 'localhost', ...headers },
      agent: false,
      ...(signal === undefined ? {} : { signal }),
    },
    (answer) => {
      const chunks: Buffer[] = [];
      let size = 0;
      answer.on('data', (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > maxBytes) answer.destroy(tooLong(socketPath, maxBytes));
      });
      answer.on('error', reject);
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }),
      );
    },
  );
  sent.on('error', reject);
  sent.end(body);
  return promise;
}

function tooLong(socketPath: string, maxBytes: number): LatchkeyError {
  return new LatchkeyError(
    'upstream_answer_invalid',
    `the answer at ${socketPath} is larger than ${maxBytes} bytes`,
  );
}
