// Asks the running agent over its unix socket, and tells in its words why there is no answer.
import { isErrorCode } from '../api/error-codes.ts';
import { LatchkeyError } from '../base/errors.ts';
import type { SocketAnswer, SocketRequest } from '../base/system/ask-socket.ts';
import { errnoOf } from '../base/system/errno.ts';
import { isLockedForDebugger } from '../base/system/harden-process.ts';
import { askPlainly } from './ask-plainly.ts';

type PlainAnswer = Pick<SocketAnswer, 'status' | 'body'>;

const defaultSocketPath = '/run/latchkey/latchkey.sock';

/** The path to ask: what was given, else `$LATCHKEY_SOCKET`, else the default. */
export function socketPathFrom(given: string | undefined): string {
  return given ?? (process.env['LATCHKEY_SOCKET'] || defaultSocketPath);
}

/** Gives any answer as it came; throws only when there is none. */
export async function askAgent(options: SocketRequest): Promise<SocketAnswer> {
  try {
    // Not at the head: `get` seldom needs it, and Node's HTTP client takes as long to load as all the rest of a command.
    return await (await import('../base/system/ask-socket.ts')).askSocket(options);
  } catch (error) {
    throw unreachable(options.socketPath, error);
  }
}

/** As `askAgent`, but an answer outside 2xx is thrown as the error that it tells. */
export async function askAgentOrThrow(options: SocketRequest): Promise<SocketAnswer> {
  return acceptedAnswer(await askAgent(options));
}

/** As `askAgentOrThrow`, in the way that costs the least, for commands that have nothing else to do meanwhile. */
export async function getFromAgent(request: { socketPath: string; path: string }): Promise<PlainAnswer> {
  const answer = mayWaitInKernel() ? askPlainly(request) : undefined;
  return acceptedAnswer(answer ?? (await askAgent(request)));
}

/**
 * No handler in JavaScript has its turn meanwhile: none that ends the command, nor the timer that looks after the door for
 * a debugger where Node was not told to lock it.
 */
function mayWaitInKernel(): boolean {
  return isLockedForDebugger() && process.listenerCount('SIGINT') + process.listenerCount('SIGTERM') === 0;
}

function acceptedAnswer<Answer extends PlainAnswer>(answer: Answer): Answer {
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw errorOf(answer);
}

function errorOf(answer: PlainAnswer): LatchkeyError {
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

function unreachable(socketPath: string, cause: unknown): LatchkeyError {
  const remedies: Record<string, string> = {
    ENOENT: 'start the agent, or name its socket with --socket or $LATCHKEY_SOCKET',
    ECONNREFUSED: 'start the agent: nobody listens on this socket',
    EACCES: "join the socket's group, or ask its owner for access",
  };
  const code = errnoOf(cause) ?? '';
  const remedy = remedies[code];
  return new LatchkeyError(
    code === 'EACCES' ? 'denied' : 'agent_unreachable',
    `cannot reach the agent at ${socketPath}: ${code || String(cause)}`,
    {
      cause,
      remedy,
    },
  );
}
