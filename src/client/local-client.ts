// Asks the running agent over its unix socket. Light on purpose: node:http alone, one request a connection.
import { request } from 'node:http';
import { isErrorCode } from '../api/error-codes.ts';
import { LatchkeyError } from '../base/errors.ts';

const defaultSocketPath = '/run/latchkey/latchkey.sock';

export interface LocalAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface LocalRequest {
  socketPath: string;
  method?: 'GET' | 'POST';
  path: string;
  headers?: Readonly<Record<string, string>>;
  body?: string;
}

/** The path to ask: what was given, else `$LATCHKEY_SOCKET`, else the default. */
export function socketPathFrom(given: string | undefined): string {
  return given ?? (process.env['LATCHKEY_SOCKET'] || defaultSocketPath);
}

/** Gives any answer as it came; throws only when there is none. */
export function askAgent(options: LocalRequest): Promise<LocalAnswer> {
  const { socketPath, method = 'GET', path, headers = {}, body } = options;
  const { promise, resolve, reject } = Promise.withResolvers<LocalAnswer>();
  // An abstract address is written @name, as in the config and by ss(8).
  const address = socketPath.startsWith('@') ? `\0${socketPath.slice(1)}` : socketPath;
  const sent = request(
    { socketPath: address, method, path, headers: { host: 'localhost', ...headers }, agent: false },
    (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }),
      );
    },
  );
  sent.on('error', (error) => reject(unreachable(socketPath, error)));
  sent.end(body);
  return promise;
}

/** As `askAgent`, but an answer outside 2xx is thrown as the error that it tells. */
export async function askAgentOrThrow(options: LocalRequest): Promise<LocalAnswer> {
  const answer = await askAgent(options);
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw errorOf(answer);
}

function errorOf(answer: LocalAnswer): LatchkeyError {
  const { code = 'internal', message = `the agent answered with status ${answer.status}` } = toldBy(
    answer.body,
  );
  const options =
    code === 'denied' ? { remedy: "the agent's log says why, a rule under `access` can allow it" } : {};
  // An agent of another version may know codes that this program does not.
  return new LatchkeyError(isErrorCode(code) ? code : 'internal', message, options);
}

function toldBy(body: Buffer): { code?: string; message?: string } {
  try {
    const parsed = JSON.parse(body.toString('utf8')) as { error?: { code?: string; message?: string } };
    return parsed.error ?? {};
  } catch {
    // Not one of our answers (a proxy's page, a torn body): the status has to do.
    return {};
  }
}

function unreachable(socketPath: string, cause: NodeJS.ErrnoException): LatchkeyError {
  const remedies: Record<string, string> = {
    ENOENT: 'start the agent, or name its socket with --socket or $LATCHKEY_SOCKET',
    ECONNREFUSED: 'start the agent: nobody listens on this socket',
    EACCES: "join the socket's group, or ask its owner for access",
  };
  const code = cause.code ?? '';
  const remedy = remedies[code];
  return new LatchkeyError(
    code === 'EACCES' ? 'denied' : 'internal',
    `cannot reach the agent at ${socketPath}: ${code || cause.message}`,
    {
      cause,
      ...(remedy === undefined ? {} : { remedy }),
    },
  );
}
