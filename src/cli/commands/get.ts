// `latchkey get NAME [FIELD]`: one secret from the running agent, on stdout and nothing else there.
import { fstatSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { SecretsAnswer } from '../../api/secrets.ts';
import { describeError, errorCode, LatchkeyError } from '../../base/errors.ts';
import { nearest } from '../../base/text/nearest.ts';
import { getFromAgent, socketPathFrom } from '../../client/local-client.ts';
import { tolerateBrokenOutput, writeOut } from '../broken-output.ts';
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
    return await runGet(options);
  } catch (error) {
    tolerateBrokenOutput();
    return reportFailure(error);
  }
}

/** With FIELD: the raw bytes, no newline. Without: the JSON of `GET /secrets/NAME`, one line. */
export async function runGet({ name, field, json, socket, config }: GetOptions): Promise<number> {
  if (name === '' || field === '') throw new LatchkeyError('usage', 'get: expected NAME [FIELD], got ""');
  const parts = field === undefined ? [name] : [name, field];
  const socketPath =
    config === undefined || socket !== undefined
      ? socketPathFrom(socket)
      : await (await import('../config-socket.ts')).socketPathOfConfig(config);
  const path = `/secrets/${parts.map(encodeURIComponent).join('/')}`;
  const { body } = await getFromAgent({ socketPath, path }).catch(async (error: unknown) => {
    const near = errorCode(error) === 'not_found' ? await nearestName(socketPath, name) : undefined;
    if (near === undefined) throw error;
    throw new LatchkeyError('not_found', describeError(error), { remedy: `did you mean ${near}?` });
  });
  writeOut(shownOf(body, { isField: field !== undefined, isJson: json === true }));
  return 0;
}

/** Of the names that this caller may read; undefined: it is one of them, or none is near. */
async function nearestName(socketPath: string, name: string): Promise<string | undefined> {
  try {
    // What a get that finds its secret would load for nothing.
    const { routes } = await import('../../api/routes.ts');
    const { body } = await getFromAgent({ socketPath, path: routes.secrets.path });
    const { secrets } = JSON.parse(body.toString('utf8')) as SecretsAnswer;
    const names = secrets.map((one) => one.name);
    if (names.includes(name)) return undefined;
    return nearest(name, names);
  } catch {
    return undefined; // the answer that there is says enough
  }
}

function shownOf(body: Buffer, { isField, isJson }: { isField: boolean; isJson: boolean }): Buffer {
  if (isField && isJson) return Buffer.from(`${JSON.stringify(body.toString('utf8'))}\n`);
  // A line's end between it and the next prompt, never in what a program reads.
  const isBare = !isField || isTerminal();
  return isBare && body.at(-1) !== 0x0a ? Buffer.concat([body, Buffer.from('\n')]) : body;
}

/** Node loads its streams to say so: a pipe or a file is known without. */
function isTerminal(): boolean {
  return fstatSync(1).isCharacterDevice() && process.stdout.isTTY;
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
