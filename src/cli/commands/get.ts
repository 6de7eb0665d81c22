// `latchkey get NAME [FIELD]`: one secret from the running agent, on stdout and nothing else there.
import { parseArgs } from 'node:util';
import { LatchkeyError } from '../../base/errors.ts';
import { askAgentOrThrow, socketPathFrom } from '../../client/local-client.ts';
import { tolerateBrokenOutput } from '../broken-output.ts';
import { reportFailure } from '../exit-code.ts';

interface GetOptions {
  name: string;
  field?: string | undefined;
  json?: boolean | undefined;
  socket?: string | undefined;
  config?: string[] | undefined;
}

/** As `runGet`, from the words after `get`; never throws. Undefined when they are not plainly right. */
export async function runGetFrom(args: readonly string[]): Promise<number | undefined> {
  const options = parsePlain(args);
  if (options === undefined) return undefined;
  try {
    tolerateBrokenOutput();
    return await runGet(options);
  } catch (error) {
    return reportFailure(error);
  }
}

/** With FIELD: the raw bytes, no newline. Without: the JSON of `GET /secrets/NAME`, one line. */
export async function runGet({ name, field, json, socket, config }: GetOptions): Promise<number> {
  if (name === '' || field === '') throw new LatchkeyError('usage', 'get: expected NAME [FIELD], got ""');
  const parts = field === undefined ? [name] : [name, field];
  const answer = await askAgentOrThrow({
    socketPath:
      config === undefined || socket !== undefined
        ? socketPathFrom(socket)
        : await (await import('../config-socket.ts')).socketPathOfConfig(config),
    path: `/secrets/${parts.map(encodeURIComponent).join('/')}`,
  });
  if (field !== undefined && json === true) {
    process.stdout.write(`${JSON.stringify(answer.body.toString('utf8'))}\n`);
    return 0;
  }
  process.stdout.write(answer.body);
  // Between it and the next prompt, never in what a program reads.
  const isBare = field === undefined || process.stdout.isTTY;
  if (isBare && answer.body.at(-1) !== 0x0a) process.stdout.write('\n');
  return 0;
}

function parsePlain(args: readonly string[]): GetOptions | undefined {
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
    const [name, field, ...rest] = positionals;
    return name === undefined || rest.length > 0 ? undefined : { ...values, name, field };
  } catch {
    // The parser of all commands says what is wrong, in the words of all commands.
    return undefined;
  }
}
