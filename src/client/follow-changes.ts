// Follows `GET /changes` of a running agent: each event as it comes, until the stream ends.
import { request } from 'node:http';
import { routes } from '../api/routes.ts';
import { LatchkeyError } from '../base/errors.ts';
import { socketAddress } from '../base/system/ask-socket.ts';

export interface ChangeEvent {
  readonly event: string;
  readonly data: string;
}

interface FollowOptions {
  /** `@name` is an abstract address. */
  readonly socketPath: string;
  readonly signal: AbortSignal;
  onOpen(): void;
  onEvent(event: ChangeEvent): void;
}

/** More is no event of the agent's. */
const longestEvent = 1024 * 1024;

/** Resolves when the agent ends the stream, or the signal comes; rejects when there is none. */
export function followChanges({ socketPath, signal, onOpen, onEvent }: FollowOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { path } = routes.changes;
  const sent = request(
    { socketPath: socketAddress(socketPath), path, headers: { host: 'localhost' }, agent: false, signal },
    (answer) => {
      if (answer.statusCode !== 200) {
        const code = answer.statusCode === 403 ? 'denied' : 'agent_unreachable';
        reject(new LatchkeyError(code, `the agent answered ${path} with status ${answer.statusCode}`));
        answer.destroy();
        return;
      }
      onOpen();
      let unread = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        unread += chunk;
        const parts = unread.split('\n\n');
        unread = parts.pop() ?? '';
        for (const part of parts) tell(part, onEvent);
        if (unread.length > longestEvent) answer.destroy();
      });
      answer.on('close', () => resolve());
    },
  );
  sent.on('error', (error) => (signal.aborted ? resolve() : reject(error)));
  sent.end();
  return promise;
}

/** Comments and what has no name are left out. */
function tell(text: string, onEvent: FollowOptions['onEvent']): void {
  const fields = new Map(
    text.split('\n').map((line) => {
      const mark = line.indexOf(': ');
      return [line.slice(0, mark), line.slice(mark + 2)] as const;
    }),
  );
  const event = fields.get('event');
  if (event !== undefined) onEvent({ event, data: fields.get('data') ?? '' });
}
