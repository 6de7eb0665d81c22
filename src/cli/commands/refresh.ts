// `latchkey refresh [NAME…]`: upstream is asked now, not at the next poll.
import { type SocketOptions, socketPathOf } from '../config-socket.ts';
import { askAgentOrThrow } from '../local-client.ts';

interface RefreshOptions extends SocketOptions {
  names: string[];
  json: boolean;
}

interface RefreshAnswer {
  results: {
    name: string;
    outcome: 'changed' | 'same' | 'failed';
    error?: { code: string; message: string };
  }[];
}

export async function runRefresh(options: RefreshOptions): Promise<number> {
  const answer = await askAgentOrThrow({
    socketPath: await socketPathOf(options),
    method: 'POST',
    path: '/refresh',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(options.names.length > 0 ? { names: options.names } : {}),
  });
  const { results } = JSON.parse(answer.body.toString('utf8')) as RefreshAnswer;
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ results })}\n`);
  } else {
    for (const { name, outcome, error } of results) {
      process.stderr.write(`${name}: ${outcome}${error === undefined ? '' : `: ${error.message}`}\n`);
    }
  }
  return results.some(({ outcome }) => outcome === 'failed') ? 1 : 0;
}
