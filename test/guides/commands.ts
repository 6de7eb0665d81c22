// Every `latchkey …` that a document tells people to type is a line that the program takes: its command, its options, its words.
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { commandThatTakes } from '../support/parse-command.ts';

const root = resolve(import.meta.dirname, '../..');
const pages = [
  ...['README.md', 'SECURITY.md', 'CONTRIBUTING.md'],
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
/** They take the options of other programs, with one dash: test/integration/consul-template-command.ts has those. */
const foreign = /^(?:consul-template|envconsul|agent -\w)/;
/** Words that stand for others, and shells within shells. */
const notALine = /[…[\]|<>&;(){}$]|\b[A-Z]{3,}\b(?!=)/;

/** What follows `latchkey` in blocks of commands and in running text, up to the end of its line or what a shell would end it at. */
function linesOf(text: string): string[] {
  const blocks = [...text.matchAll(/^```(?:sh|console)\b[^\n]*\n(.*?)^```$/gms)].map(([, body = '']) => body);
  const typed = blocks
    .join('\n')
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => line.replace(/\s#.*$/, '').replace(/^[#$] /, ''))
    .flatMap((line) => /(?:^|\$\(|&& |exec )latchkey (?:-- )?([^|;&)<>]+)/.exec(line)?.[1] ?? []);
  // A name alone speaks of the command, and is nothing to type.
  // A command's name alone is no line to type.
  const inText = [...text.replace(/^```.*?^```$/gms, '').matchAll(/`latchkey ([^`]+)`/g)]
    .map(([, line = '']) => line)
    .filter((line) => !/^(?:[a-z]+ ?){1,2}$|^--help$/.test(line));
  return [...typed, ...inText].map((line) => line.trim());
}

function wordsOf(line: string): string[] {
  return [...line.matchAll(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g)].map(([word]) => word.replace(/['"]/g, ''));
}

t.test('every command of every page is taken', async (t) => {
  let count = 0;
  for (const page of pages) {
    for (const line of new Set(linesOf(readFileSync(join(root, page), 'utf8')))) {
      if (foreign.test(line) || notALine.test(line.split(' -- ')[0] ?? '')) continue;
      count += 1;
      const taken = commandThatTakes(wordsOf(line));
      await taken.then(
        (name) => t.ok(name, `${page}: ${line}`),
        (error: Error) => t.fail(`${page}: latchkey ${line}: ${error.message}`),
      );
    }
  }
  t.ok(count > 30, `${count} lines`);
});
