// What breaks at three in the morning, against the running program: each row's cause is named and its remedy, the rest works,
// it recovers by itself once the cause is gone, and the log holds a line or two, not a flood.
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { policy, type Row, read, runNight, touch, victim, word } from '../support/night.ts';

t.setTimeout(600_000);

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
    breaks: ({ at }) => rmSync(at('folder'), { recursive: true, maxRetries: 9 }),
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

runNight(rows);
