// One HTTP request over a unix socket, on a connection of its own. Light on purpose: node:http alone.
import { request } from 'node:http';

export interface SocketRequest {
  /** `@name` is an abstract address, as in the config and by ss(8). */
  readonly socketPath: string;
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

export interface SocketAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** Gives any answer as it came; rejects with Node's error when there is none. */
export function askSocket(options: SocketRequest): Promise<SocketAnswer> {
  const { socketPath, method = 'GET', path, headers = {}, body, signal } = options;
  const { promise, resolve, reject } = Promise.withResolvers<SocketAnswer>();
  const address = socketPath.startsWith('@') ? `\0${socketPath.slice(1)}` : socketPath;
  const sent = request(
    {
      socketPath: address,
      method,
      path,
      headers: { host: 'localhost', ...headers },
      agent: false,
      ...(signal === undefined ? {} : { signal }),
    },
    (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
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
