// What breaks at three in the morning, against the running program: each row's cause is named and its remedy, the rest works,
// it recovers by itself once the cause is gone, and the log holds a line or two, not a flood.
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runProgram, startAgent, type TestAgent } from '../support/cli.ts';
import { startDevVault, type TestVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

interface Night {
  readonly agent: TestAgent;
  readonly vault: TestVault;
  at(name: string): string;
  write(path: string, text: string): void;
}

interface Row {
  readonly name: string;
  /** Parts of the config beside the two files that every row has. */
  readonly parts?: (at: (name: string) => string) => { files?: object[]; secrets?: object };
  /** Before the agent starts. */
  readonly prepare?: (at: (name: string) => string) => void;
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
  readonly mostLines?: number;
}

t.setTimeout(600_000);

const word = '{{ field "app" "word" }}';
const victim = (more: object) => (at: (name: string) => string) => ({
  files: [{ contents: word, destination: at('victim'), ...more }],
});
const touch = async ({ vault }: Night) => void (await vault.writeSecret('secret/app', { word: 'touched' }));
const policy = (text: string) => `path "secret/data/app" { capabilities = ["read"] }\n${text}`;

const rows: readonly Row[] = [
  {
    name: 'the vault is sealed',
    parts: victim({}),
    breaks: ({ vault }) => vault.vault.seal(),
    says: /degraded: vault sealed[\s\S]*sealed.*unseal it/,
    mends: ({ vault }) => vault.vault.unseal(),
    isVaultUp: false,
  },
  {
    name: 'a secret is denied by policy',
    parts: (at) => ({
      secrets: { extra: { path: 'secret/extra', refresh: '300ms' } },
      files: [{ contents: `${word}{{ $x := field "extra" "word" }}`, destination: at('victim') }],
    }),
    breaks: ({ vault }) => vault.writePolicy('agent', policy('')),
    says: /extra.*denied by policy.*allow read/,
    mends: ({ vault }) =>
      vault.writePolicy('agent', policy('path "secret/data/extra" { capabilities = ["read"] }')),
  },
  {
    name: 'a secret loses a field',
    parts: (at) => ({
      secrets: { extra: { path: 'secret/extra', refresh: '300ms' } },
      files: [{ contents: `${word}{{ $x := field "extra" "word" }}`, destination: at('victim') }],
    }),
    breaks: ({ vault }) => vault.writeSecret('secret/extra', { wrod: 'typo' }),
    says: /victim.*secret "extra" has no field "word"; did you mean "wrod"\?/,
    mends: ({ vault }) => vault.writeSecret('secret/extra', { word: 'extra' }),
  },
  {
    name: 'a check fails',
    parts: (at) =>
      victim({
        check: {
          command: ['sh', '-c', `test -e ${at('allow')} || { echo port 99999 is too high >&2; exit 3; }`],
        },
      })(at),
    prepare: (at) => writeFileSync(at('allow'), ''),
    breaks: async (night) => {
      rmSync(night.at('allow'));
      await touch(night);
    },
    says: /victim.*check.*port 99999 is too high/,
    mends: ({ write }) => write('allow', ''),
  },
  {
    name: 'a notification hangs',
    parts: (at) =>
      victim({ notify: { command: ['sh', '-c', `test -e ${at('allow')} || sleep 60`], timeout: '300ms' } })(
        at,
      ),
    prepare: (at) => writeFileSync(at('allow'), ''),
    breaks: async (night) => {
      rmSync(night.at('allow'));
      await touch(night);
    },
    says: /victim.*did not end within 300ms and was killed/,
    mends: ({ write }) => write('allow', ''),
  },
  {
    name: 'what is settled for does not come',
    parts: (at) =>
      victim({
        settle: {
          command: ['sh', '-c', `test -e ${at('allow')} || { echo not yet >&2; exit 7; }`],
          timeout: '1s',
        },
      })(at),
    prepare: (at) => writeFileSync(at('allow'), ''),
    breaks: async (night) => {
      rmSync(night.at('allow'));
      await touch(night);
    },
    says: /victim.*settle failed.*not yet/,
    mends: ({ write }) => write('allow', ''),
    mostLines: 6,
  },
  {
    name: 'a folder is removed',
    parts: (at) => ({ files: [{ contents: word, destination: at('folder/victim') }] }),
    prepare: (at) => mkdirSync(at('folder')),
    breaks: ({ at }) => rmSync(at('folder'), { recursive: true }),
    says: /folder.*create it, or say `create_parents: true`/,
    mends: ({ at }) => mkdirSync(at('folder')),
    isWell: ({ at }, text) => read(at('folder/victim')) === text,
  },
  {
    name: 'a destination is removed',
    parts: victim({}),
    breaks: ({ at }) => rmSync(at('victim')),
    says: /ready/,
    mends: () => undefined,
    isPutRight: true,
  },
  {
    name: 'a destination is edited, and another mode given',
    parts: victim({}),
    breaks: ({ at }) => {
      writeFileSync(at('victim'), 'edited');
      chmodSync(at('victim'), 0o666);
    },
    says: /ready/,
    mends: () => undefined,
    isPutRight: true,
    mostLines: 4,
  },
  {
    name: 'the socket is removed',
    parts: victim({}),
    breaks: ({ agent }) => rmSync(agent.socket),
    says: /ready/,
    mends: () => undefined,
    isPutRight: true,
  },
  {
    name: 'a template is broken',
    parts: (at) => ({ files: [{ template: at('t.ctmpl'), destination: at('victim') }] }),
    prepare: (at) => writeFileSync(at('t.ctmpl'), word),
    breaks: ({ write }) => write('t.ctmpl', '{{ fild "app" "word" }}'),
    says: /victim.*t\.ctmpl:1: function "fild" not defined; did you mean field\?/,
    mends: ({ write }) => write('t.ctmpl', word),
  },
  {
    name: 'the config has a typo',
    parts: victim({}),
    breaks: ({ agent, at }) => {
      writeFileSync(at('good'), readFileSync(agent.configPath), { mode: 0o600 });
      writeFileSync(
        agent.configPath,
        readFileSync(agent.configPath, 'utf8').replace('"secrets":', '"secrts":'),
      );
    },
    says: /the config on disk is refused[\s\S]*secrts: unknown key; did you mean secrets\?/,
    mends: ({ agent, at }) => renameSync(at('good'), agent.configPath),
  },
];

for (const row of rows) {
  t.test(row.name, async (t) => {
    const night = await begin(t, row);
    const { agent, vault } = night;
    const isWell = row.isWell ?? (({ at }, text) => read(at('victim')) === text);
    await agent.untilReady();
    await waitFor('the first word', () => isWell(night, 'first'));
    const before = agent.log().length;
    await row.breaks(night);
    if (row.isPutRight === true) {
      await waitFor('it is put right', () => isWell(night, 'first') && existsSync(agent.socket));
    }
    const told = await waitFor('the cause', async () => {
      const { stdout, stderr } = await runProgram(t, ['status', '--socket', agent.socket]);
      return row.says.test(stdout) ? stdout : void t.comment(stderr);
    });
    t.match(told, row.says, 'cause and remedy');
    if (row.isVaultUp !== false) {
      await vault.writeSecret('secret/app', { word: 'second' });
      await waitFor('the rest goes on', () => read(night.at('other')) === 'second');
    }
    t.match(await agent.ask('/secrets/app/word'), { status: 200 }, 'the socket serves');
    await row.mends(night);
    await vault.writeSecret('secret/app', { word: 'third' });
    await waitFor('it recovers', () => isWell(night, 'third') && read(night.at('other')) === 'third', 60_000);
    await agent.untilReady();
    await waitFor('nothing is said any more', async () => {
      const { code, stdout } = await runProgram(t, ['status', '--socket', agent.socket]);
      return code === 0 && /, ready$/.test(stdout.split('\n')[0] ?? '');
    });
    const loud = agent
      .log()
      .slice(before)
      .split('\n')
      .filter((line) => /"level":(?:[45]0|30.*stderr)/.test(line));
    t.ok(loud.length <= (row.mostLines ?? 3), `${loud.length} lines: ${loud.join('\n')}`);
  });
}

async function begin(t: Test, row: Row): Promise<Night> {
  const folder = testFolder(t);
  const at = (name: string) => join(folder, name);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'first' });
  await vault.writeSecret('secret/extra', { word: 'extra' });
  await vault.writePolicy('agent', policy('path "secret/data/extra" { capabilities = ["read"] }'));
  const token = await vault.createToken({ policies: ['agent'] });
  row.prepare?.(at);
  const { files = [], secrets = {} } = row.parts?.(at) ?? {};
  const auth = { method: 'token', min_backoff: '100ms', max_backoff: '500ms' };
  const agent = startAgent(t, {
    folder,
    vault,
    env: { VAULT_TOKEN: token },
    config: {
      upstreams: { vault: { address: vault.address, events: false, auth } },
      secrets: { app: { path: 'secret/app', refresh: '300ms' }, ...secrets },
      files: [{ contents: word, destination: at('other') }, ...files],
    },
  });
  const write = (name: string, text: string) => writeFileSync(at(name), text);
  return { agent, vault, at, write };
}

function read(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}
