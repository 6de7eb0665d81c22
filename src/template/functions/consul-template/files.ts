// What reaches out of the template: file, writeToFile, plugin. The host decides what of it is allowed.
import { describeError } from '../../../base/errors.ts';
import {
  type CallContext,
  callError,
  defineFunction,
  type FunctionTable,
  plain,
  quoted,
} from '../../exec/function-table.ts';
import { decodeText, encodeText, fromBuffer, toBuffer } from '../../text/bytes.ts';
import { parseUnsigned } from '../../text/number.ts';
import { trimSpace } from './text.ts';

export const files: FunctionTable = {
  file: defineFunction(['string'], 'string', (context, path) => {
    if (path === '') return '';
    const { readFile } = context.host;
    if (readFile === undefined) throw refused('file', 'template.sandbox_paths');
    return fromBuffer(asked(() => readFile(decodeText(trimSpace(path)))));
  }),
  writeToFile: defineFunction(['string', 'string', 'string', 'string', '...string'], 'string', writeToFile),
  plugin: defineFunction(['string', '...string'], 'string', (context, name, ...args) => {
    if (name === '') return '';
    const { runPlugin } = context.host;
    if (runPlugin === undefined) throw refused('plugin', 'template.allow_plugin');
    const trimmed = args.map((arg) => decodeText(trimSpace(arg))).filter((arg) => arg !== '');
    return trimSpace(encodeText(run(name, () => runPlugin(decodeText(name), trimmed))));
  }),
};

function refused(name: string, key: string) {
  return callError`${plain(name)} is not allowed; ${plain(key)} in the configuration allows it`;
}

/** What the host throws may be shown. */
function asked<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw callError`${plain(encodeText(describeError(error)))}`;
  }
}

/** What a failed program says may hold its arguments, so that only how it ended is told. */
function run(name: string, start: () => string): string {
  try {
    return start();
  } catch (error) {
    const { status, code } = error as { status?: unknown; code?: unknown };
    const end =
      typeof status === 'number' ? `exit status ${status}` : typeof code === 'string' ? code : 'failed';
    throw callError`exec ${quoted(name)}: ${plain(end)}`;
  }
}

/** Path, owner, group, mode, then perhaps flags, then the content. Gives the empty string. */
function writeToFile(
  context: CallContext,
  path: string,
  owner: string,
  group: string,
  mode: string,
  ...rest: string[]
): string {
  const content = rest.at(-1);
  if (content === undefined) throw callError`writeToFile: no content given`;
  const flags = rest.length === 2 ? (rest[0] ?? '') : '';
  parseUnsigned(mode, 8, 32);
  const { writeFile } = context.host;
  if (writeFile === undefined) throw refused('writeToFile', 'template.sandbox_paths');
  if (context.isIncomplete()) return '';
  const request = {
    path: decodeText(path),
    owner: decodeText(owner),
    group: decodeText(group),
    mode,
    content: toBuffer(flags.includes('newline') ? `${content}\n` : content),
    isAppended: flags.includes('append'),
  };
  asked(() => writeFile(request));
  return '';
}
