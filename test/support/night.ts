// What breaks at night, as a row of a table: how it is broken and mended, and what `latchkey status` says meanwhile.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runProgram, startAgent, type TestAgent } from './cli.ts';
import { startDevVault, type TestVault } from './dev-vault.ts';
import { mountPki } from './pki-engine.ts';
import { testFolder } from './test-folder.ts';
import { waitFor } from './wait-for.ts';

export interface Night {
  readonly agent: TestAgent;
  readonly vault: TestVault;
  at(name: string): string;
  write(path: string, text: string): void;
}

interface Parts {
  files?: object[];
  secrets?: object;
  [more: string]: unknown;
}

export interface Row {
  readonly name: string;
  /** Parts of the config beside the two files that every row has. */
  readonly parts?: (at: (name: string) => string) => Parts;
  /** Before the agent starts; false where this machine cannot do it, with the reason told. */
  readonly prepare?: (at: (name: string) => string, t: Test) => unknown;
  /** How it logs in; default: by a token in its environment. */
  readonly auth?: (vault: TestVault, at: (name: string) => string) => Promise<object>;
  readonly env?: (at: (name: string) => string) => Record<string, string>;
  readonly breaks: (night: Night) => unknown;
  /** As `latchkey status` tells them, cause first. */
  readonly says: RegExp;
  readonly mends: (night: Night) => unknown;
  /** How it shows that all is well again, by value; default: the victim holds the newest word. */
  readonly isWell?: (night: Night, word: string) => boolean;
  /** While it is broken the vault answers, so that what is not concerned rotates on. */
  readonly isVaultUp?: boolean;
  /** Nothing to be seen in between: it is put right at once. */
  readonly isPutRight?: boolean;
  /** Nothing may be handed out that is not recorded. */
  readonly isServing?: boolean;
  readonly mostLines?: number;
  /** Where its log is, if the parts say so. */
  readonly logFile?: string;
}

export const word = '{{ field "app" "word" }}';
export const victim = (more: object) => (at: (name: string) => string) => ({
  files: [{ contents: word, destination: at('victim'), ...more }],
});
export const touch = async ({ vault }: Night) =>
  void (await vault.writeSecret('secret/app', { word: 'touched' }));
export const policy = (text: string) =>
  `path "secret/data/app" { capabilities = ["read"] }\npath "pki/issue/web" { capabilities = ["update"] }\n${text}`;

export function runNight(rows: readonly Row[]): void {
  for (const row of rows) t.test(row.name, (t) => runRow(t, row));
}

async function runRow(t: Test, row: Row): Promise<void> {
  const night = await begin(t, row);
  if (night === undefined) return;
  const { agent, vault } = night;
  const isWell = row.isWell ?? (({ at }, text) => read(at('victim')) === text);
  await agent.untilReady();
  await waitFor('the first word', () => isWell(night, 'first'));
  const log = () => (row.logFile === undefined ? agent.log() : (read(night.at(row.logFile)) ?? ''));
  const before = log().length;
  await row.breaks(night);
  if (row.isPutRight === true) {
    await waitFor('it is put right', () => isWell(night, 'first') && existsSync(agent.socket));
  }
  const told = await waitFor('the cause', async () => {
    const { stdout, stderr } = await runProgram(t, ['status', '--socket', agent.socket]);
    const said = `${stdout}${stderr}`;
    return row.says.test(said) ? said : undefined;
  });
  t.match(told, row.says, 'cause and remedy');
  if (row.isVaultUp !== false) {
    await vault.writeSecret('secret/app', { word: 'second' });
    await waitFor('the rest goes on', () => read(night.at('other')) === 'second');
  }
  if (row.isServing !== false) {
    t.match(await agent.ask('/secrets/app/word'), { status: 200 }, 'the socket serves');
  }
  await row.mends(night);
  await vault.writeSecret('secret/app', { word: 'third' });
  await waitFor('it recovers', () => isWell(night, 'third') && read(night.at('other')) === 'third');
  await agent.untilReady();
  await waitFor('nothing is said any more', async () => {
    const { code, stdout } = await runProgram(t, ['status', '--socket', agent.socket]);
    return code === 0 && /, ready$/.test(stdout.split('\n')[0] ?? '');
  });
  const loud = log()
    .slice(before)
    .split('\n')
    .filter((line) => /"level":(?:[45]0|30.*stderr)/.test(line));
  t.ok(loud.length <= (row.mostLines ?? 3), `${loud.length} lines: ${loud.join('\n')}`);
}

async function begin(t: Test, row: Row): Promise<Night | undefined> {
  const folder = testFolder(t);
  const at = (name: string) => join(folder, name);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'first' });
  await vault.writeSecret('secret/extra', { word: 'extra' });
  await mountPki(vault);
  await vault.writePolicy('agent', policy('path "secret/data/extra" { capabilities = ["read"] }'));
  const token = await vault.createToken({ policies: ['agent'] });
  if (row.prepare?.(at, t) === false) return undefined;
  const { files = [], secrets = {}, ...more } = row.parts?.(at) ?? {};
  const login = (await row.auth?.(vault, at)) ?? { method: 'token' };
  const auth = { ...login, min_backoff: '100ms', max_backoff: '500ms' };
  const agent = startAgent(t, {
    folder,
    vault,
    env: { VAULT_TOKEN: token, ...row.env?.(at) },
    upstream: { events: false, auth },
    config: {
      secrets: { app: { path: 'secret/app', refresh: '300ms' }, ...secrets },
      files: [{ contents: word, destination: at('other') }, ...files],
      ...more,
    },
  });
  const write = (name: string, text: string) => writeFileSync(at(name), text);
  return { agent, vault, at, write };
}

export function read(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}
