// `latchkey refresh [NAME…]`: upstream is asked now, not at the next poll.
import { createTypedClient } from '../../client/typed-client.ts';
import { type SocketOptions, socketPathOf } from '../config-socket.ts';
import { printJson, say } from '../output.ts';

interface RefreshOptions extends SocketOptions {
  names: string[];
  json: boolean;
}

export async function runRefresh(options: RefreshOptions): Promise<number> {
  const client = createTypedClient(await socketPathOf(options));
  const { results } = await client.refresh(options.names.length > 0 ? { names: options.names } : {});
  if (options.json) {
    printJson({ results });
  } else {
    for (const { name, outcome, error } of results) {
      say(`${name}: ${outcome}${error === undefined ? '' : `: ${error.message}`}`);
    }
  }
  return results.some(({ outcome }) => outcome === 'failed') ? 1 : 0;
}
