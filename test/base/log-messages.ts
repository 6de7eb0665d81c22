// The reference page of the log lists every message as the source has it, and none that is gone.
// Each has a stable name, `event`, by its message or among its fields.
// `TAP_SNAPSHOT=1 node test/base/log-messages.ts` writes its table.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import t from 'tap';
import { eventOf, logEvents } from '../../src/base/log/log-events.ts';
import { measures } from '../../src/base/log/log-repeats.ts';

const root = resolve(import.meta.dirname, '../../src');
const pagePath = resolve(root, '../docs/reference/log.md');
const levels = ['error', 'warn', 'info'];

/** Fields that say who or what, or what became of it: lines that differ by them are different lines. */
const distinctive = [
  ...[
    'address',
    'at',
    'before',
    'caller',
    'changed',
    'code',
    'command',
    'destination',
    'destinations',
    'dialect',
  ],
  ...[
    'error',
    'exit',
    'file',
    'folder',
    'hook',
    'journal',
    'kept',
    'lease',
    'listener',
    'method',
    'missing',
    'mount',
  ],
  ...[
    'name',
    'names',
    'notification',
    'now',
    'path',
    'paths',
    'pid_file',
    'process',
    'program',
    'queue',
    'reason',
  ],
  ...[
    'secret',
    'secrets',
    'serve',
    'signal',
    'socket',
    'state',
    'state_dir',
    'status',
    'stream',
    'unit',
    'upstream',
  ],
  ...['url', 'what', 'uid'],
];

function sourceFiles(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return sourceFiles(path);
    return path.endsWith('.ts') ? [path] : [];
  });
}

/** Where the piece ends that begins at `from`: a string, a template, or what is between brackets. */
function endOf(text: string, from: number): number {
  const open = text[from] ?? '';
  if (open === "'" || open === '`') {
    for (let at = from + 1; at < text.length; at += 1) {
      if (text[at] === '\\') at += 1;
      else if (text[at] === open) return at + 1;
      else if (open === '`' && text.startsWith('${', at)) at = endOf(text, at + 1) - 1;
    }
    return text.length;
  }
  for (let at = from + 1; at < text.length; at += 1) {
    const here = text[at] ?? '';
    if (`'\`({[`.includes(here)) at = endOf(text, at) - 1;
    else if (')}]'.includes(here)) return at + 1;
  }
  return text.length;
}

/** The arguments of the call whose bracket is at `open`. */
function argumentsAt(text: string, open: number): string[] {
  const end = endOf(text, open) - 1;
  const found: string[] = [];
  let begin = open + 1;
  for (let at = open + 1; at < end; at += 1) {
    const here = text[at] ?? '';
    if (`'\`({[`.includes(here)) at = endOf(text, at) - 1;
    else if (here === ',') {
      found.push(text.slice(begin, at).trim());
      begin = at + 1;
    }
  }
  return [...found, text.slice(begin, end).trim()].filter((one) => one !== '');
}

/** What a message may say; `…` is what differs from time to time. */
function textsOf(message: string): string[] {
  const rest = /^['`]/.test(message) ? message : message.slice(message.indexOf('?') + 1);
  if (rest === message && !/^['`]/.test(message)) return [];
  const found: string[] = [];
  for (let at = 0; at < rest.length; at += 1) {
    if (rest[at] !== "'" && rest[at] !== '`') continue;
    const end = endOf(rest, at);
    let text = rest.slice(at + 1, end - 1);
    for (let hole = text.indexOf('${'); hole >= 0; hole = text.indexOf('${'))
      text = `${text.slice(0, hole)}…${text.slice(endOf(text, hole + 1))}`;
    found.push(text.replaceAll("\\'", "'").replaceAll('\\`', '`'));
    at = end;
  }
  return found;
}

/** Fields that were put together before. */
function fieldsNamed(text: string, name: string): string {
  const begin = text.indexOf(`const ${name} = {`);
  return begin < 0 ? '' : text.slice(begin, endOf(text, text.indexOf('{', begin)));
}

interface Message {
  readonly keys: readonly string[];
  readonly text: string;
  readonly event: string;
  readonly row: string;
}

function messagesOf(path: string): Message[] {
  const text = readFileSync(path, 'utf8').replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, '');
  const folder = relative(root, path).split('/')[0] ?? '';
  return [...text.matchAll(/\blogger\??(?:\.(error|warn|info)|\[([^\]]+)\])\(/g)].flatMap(
    ({ index, 0: call, 1: plain, 2: chosen = '' }) => {
      // Where the level hangs on something: the one that is no debug.
      if (plain === undefined && folder === 'base') return []; // the logger itself
      const level = plain ?? levels.find((one) => chosen.includes(`'${one}'`)) ?? 'warn';
      const [fields = '', message = ''] = argumentsAt(text, index + call.length - 1);
      const keys = fields.startsWith('{')
        ? argumentsAt(fields, 0).flatMap((one) => /^\w+/.exec(one)?.map((key) => `\`${key}\``) ?? [])
        : [];
      const given = /\bevent: '([^']+)'/.exec(
        fields.startsWith('{') ? fields : fieldsNamed(text, fields),
      )?.[1];
      const texts = textsOf(message).filter((one) => one.replaceAll('…', '').trim() !== '');
      // What is made elsewhere says what went wrong.
      if (given !== undefined && texts.length === 0) texts.push('…');
      const shown = keys.filter((key) => key !== '`event`').join(', ') || '–';
      return (texts.length === 0 ? [''] : texts).map((one) => {
        const event = given ?? eventOf(one) ?? `NONE for the message at ${relative(root, path)}: ${message}`;
        return {
          keys: keys.map((key) => key.slice(1, -1)).filter((key) => key !== 'event'),
          text: one,
          event,
          row: `| \`${event}\` | ${level} | ${one.replaceAll('|', '\\|')} | ${shown} | ${folder} |`,
        };
      });
    },
  );
}

t.test('the page lists every message of the log', (t) => {
  const messages = sourceFiles(root).flatMap(messagesOf);
  const levelOf = (row: string): number => levels.indexOf(row.split(' | ')[1] ?? '');
  const rows = [...new Set(messages.map(({ row }) => row))].sort(
    (a, b) => levelOf(a) - levelOf(b) || a.localeCompare(b),
  );
  t.strictSame(
    messages.map(({ event }) => event).filter((event) => !/^[a-z]+(\.[a-z]+(-[a-z]+)*)$/.test(event)),
    [],
    'each message has a name: in src/base/log/log-events.ts, or `event` among its fields',
  );
  const kinds = [...measures, ...distinctive];
  t.strictSame(
    messages.flatMap(({ keys }) => keys).filter((key) => !kinds.includes(key)),
    [],
    'each field says how much (`measures` in src/base/log/log-repeats.ts) or what (`distinctive` here)',
  );
  t.strictSame(
    distinctive.filter((key) => measures.has(key)),
    [],
  );
  const texts = messages.map(({ text }) => text);
  t.strictSame(
    Object.keys(logEvents).filter((text) => !texts.includes(text)),
    [],
    'no name is of a message that is gone',
  );
  t.ok(rows.length > 60, String(rows.length));
  const page = readFileSync(pagePath, 'utf8');
  const isRow = (line: string): boolean => /^\| `[^`]+` \| (?:error|warn|info) \|/.test(line);
  if (process.env['TAP_SNAPSHOT'] === '1') {
    const lines = page.split('\n').filter((line) => !isRow(line));
    lines.splice(lines.indexOf('|---|---|---|---|---|') + 1, 0, ...rows);
    writeFileSync(pagePath, lines.join('\n'));
  }
  t.strictSame(readFileSync(pagePath, 'utf8').split('\n').filter(isRow), rows);
  t.end();
});
