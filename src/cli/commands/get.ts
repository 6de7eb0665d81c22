// `latchkey get NAME [FIELD]`: one secret from the running agent, on stdout and nothing else there.
import { parseArgs } from 'node:util';
import { LatchkeyError } from '../../base/errors.ts';
import { reportFailure } from '../exit-code.ts';
import { askAgentOrThrow, socketPathFrom } from '../local-client.ts';

/** With FIELD: the raw bytes, no newline. Without: the JSON of `GET /secrets/NAME`, one line. */
export async function runGet(args: readonly string[]): Promise<number> {
  try {
    const { positionals, socket } = parseGetArgs(args);
    const [name, field] = positionals;
    if (name === undefined || positionals.length > 2) {
      throw new LatchkeyError('usage', `get: expected NAME [FIELD], got ${positionals.length} arguments`);
    }
    const path = ['/secrets', name, ...(field === undefined ? [] : [field])].map((part, index) =>
      index === 0 ? part : encodeURIComponent(part),
    );
    const answer = await askAgentOrThrow({ socketPath: await socket, path: path.join('/') });
    process.stdout.write(answer.body);
    if (field === undefined && answer.body.at(-1) !== 0x0a) process.stdout.write('\n');
    return 0;
  } catch (error) {
    return reportFailure(error);
  }
}

function parseGetArgs(args: readonly string[]): { positionals: string[]; socket: string | Promise<string> } {
  try {
    const { positionals, values } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        socket: { type: 'string' },
        config: { type: 'string', multiple: true },
        json: { type: 'boolean' },
      },
    });
    if (values.config !== undefined && values.socket === undefined) {
      const paths = values.config;
      return {
        positionals,
        socket: import('../config-socket.ts').then(({ socketPathOfConfig }) => socketPathOfConfig(paths)),
      };
    }
    return { positionals, socket: socketPathFrom(values.socket) };
  } catch (error) {
    throw new LatchkeyError('usage', `get: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
