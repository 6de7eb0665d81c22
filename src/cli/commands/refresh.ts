// `latchkey refresh [NAME…]`: upstream is asked now, not at the next poll.
import { errorCodes } from '../../api/error-codes.ts';
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
    for (const { name, outcome, error, note } of results) {
      say(
        `${name}: ${outcome}${error === undefined ? '' : `: ${error.message}`}${note === undefined ? '' : ` (${note})`}`,
      );
    }
  }
  const failed = results.find(({ outcome }) => outcome === 'failed');
  return failed === undefined ? 0 : errorCodes[failed.error?.code ?? 'internal'].exit;
}
