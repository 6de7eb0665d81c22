// What a host does to the agent at three in the morning, row by row: disks, its state folder, its log, its clock, others'
// hands in a folder. See three-am.ts for what every row must show.
import { appendFileSync, chmodSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { mount } from '../support/mounts.ts';
import { isRoot, needsRoot } from '../support/needs-root.ts';
import { type Night, type Row, read, runNight, touch, victim, word } from '../support/night.ts';
import { waitFor } from '../support/wait-for.ts';

const pageBytes = 4096;
t.setTimeout(600_000);

type At = Night['at'];

/** A small disk of its own at this name. */
const disk = (name: string) => (at: At, t: Parameters<NonNullable<Row['prepare']>>[1]) => {
  mkdirSync(at(name), { mode: 0o700 });
  return mount(t, at(name), '-t', 'tmpfs', '-o', 'size=128k,mode=0700', 'tmpfs');
};

/** To the last byte. */
function fill(path: string): void {
  for (const size of [4096, 1]) {
    try {
      for (;;) appendFileSync(path, Buffer.alloc(size));
    } catch {
      // It is full.
    }
  }
}

const faketime = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/local/lib']
  .map((folder) => `${folder}/faketime/libfaketime.so.1`)
  .find((path) => statSync(path, { throwIfNoEntry: false }) !== undefined);
/** As it was told by the file that it is told by, so that a half-written one is never read. */
const setClock = ({ at }: Pick<Night, 'at'>, offset: string) => writeFileSync(at('clock'), `${offset}\n`);

const rows: readonly Row[] = [
  {
    name: 'the disk of a destination is full',
    prepare: disk('disk'),
    parts: (at) => ({ files: [{ contents: word, destination: at('disk/victim') }] }),
    breaks: async (night) => {
      fill(night.at('disk/ballast'));
      await touch(night);
    },
    says: /disk\/victim.*no space left on the file system/,
    mends: ({ at }) => rmSync(at('disk/ballast')),
    isWell: ({ at }, text) => read(at('disk/victim')) === text,
  },
  {
    name: 'the disk of the state folder is full',
    prepare: disk('state'),
    parts: victim({ notify: { command: ['true'] } }),
    breaks: async (night) => {
      let count = 0;
      await waitFor('a write that finds no room', async () => {
        // A write that was under way has given room back.
        fill(night.at('state/ballast'));
        count += 1;
        await night.vault.writeSecret('secret/app', { word: `touched ${count}` });
        const { text } = await night.agent.ask('/status');
        return (JSON.parse(text) as { troubles: object[] }).troubles.length > 0;
      });
    },
    says: /degraded: state folder failing[\s\S]*state file cannot be written \(ENOSPC\); leases would be left/,
    mends: ({ at }) => rmSync(at('state/ballast')),
  },
  {
    name: 'the state folder is removed',
    parts: victim({}),
    breaks: async (night) => {
      rmSync(night.at('state'), { recursive: true, maxRetries: 9 });
      await waitFor('it is made again', () => read(night.at('state/leases.json')) !== undefined);
    },
    says: /ready/,
    mends: ({ at }) => t.equal(statSync(at('state')).mode & 0o777, 0o700),
  },
  {
    name: 'the disk of the log is full',
    prepare: disk('disk'),
    parts: (at) => ({
      ...victim({})(at),
      log: { level: 'debug', format: 'json', file: at('disk/agent.log') },
    }),
    breaks: async (night) => {
      fill(night.at('disk/ballast'));
      const log = night.at('disk/agent.log');
      await waitFor('a line that finds no room', async () => {
        // A full disk leaves a file the rest of its last page, and what is said again and again is not written.
        const room = pageBytes - (statSync(log).size % pageBytes);
        if (room < pageBytes) appendFileSync(log, `${' '.repeat(room - 1)}\n`);
        await touch(night);
        await night.agent.ask('/refresh', { method: 'POST' });
        return night.agent.stderr().includes('the log file');
      });
    },
    says: /degraded: log failing[\s\S]*log: .*disk\/agent\.log cannot be written \(ENOSPC\); make room/,
    mends: ({ at }) => rmSync(at('disk/ballast')),
    logFile: 'disk/agent.log',
  },
  {
    name: 'the disk of the audit file is full',
    prepare: disk('disk'),
    parts: (at) => ({ ...victim({})(at), audit: { file: at('disk/audit.jsonl'), on_failure: 'deny' } }),
    breaks: async (night) => {
      fill(night.at('disk/ballast'));
      await waitFor('a question that cannot be recorded', async () => {
        const { status } = await night.agent.ask('/secrets/app/word');
        return status === 503;
      });
    },
    says: /audit file cannot be written: .*ENOSPC.*make .*audit\.jsonl writable or make room/,
    mends: ({ at }) => rmSync(at('disk/ballast')),
    isServing: false,
  },
  {
    name: 'others get a hand in a folder',
    prepare(at, t) {
      mkdirSync(at('folder'));
      // Others may lead nobody else to spoil what is not theirs.
      if (!isRoot) t.pass('a hand in a folder', { skip: needsRoot });
      return isRoot;
    },
    parts: (at) => ({ files: [{ contents: word, destination: at('folder/victim') }] }),
    breaks: async (night) => {
      chmodSync(night.at('folder'), 0o777);
      await touch(night);
    },
    says: /folder\/victim.*can be written by everybody/,
    mends: ({ at }) => chmodSync(at('folder'), 0o755),
    isWell: ({ at }, text) => read(at('folder/victim')) === text,
  },
  {
    name: 'a folder is in the place of a file',
    parts: victim({}),
    breaks: async (night) => {
      rmSync(night.at('victim'));
      mkdirSync(night.at('victim'));
      await touch(night);
    },
    says: /victim.*it is a folder/,
    mends: ({ at }) => rmSync(at('victim'), { recursive: true, maxRetries: 9 }),
  },
  ...(['+2h', '-2h'] as const).map(
    (offset): Row => ({
      name: `the clock jumps by ${offset}`,
      prepare(at, t) {
        setClock({ at }, '+0');
        if (faketime === undefined) t.pass('needs libfaketime', { skip: 'libfaketime is not installed' });
        return faketime !== undefined;
      },
      env: (at) => ({
        LD_PRELOAD: faketime ?? '',
        FAKETIME_TIMESTAMP_FILE: at('clock'),
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        DONT_FAKE_MONOTONIC: '1',
      }),
      parts: (at) => ({
        files: [
          { contents: word, destination: at('victim') },
          {
            contents:
              '{{ with pkiCert "pki/issue/web" "common_name=a.example.com" "ttl=24h" }}{{ .Cert }}{{ end }}',
            destination: at('web.pem'),
          },
        ],
      }),
      breaks: (night) => setClock(night, offset),
      says: offset.startsWith('+')
        ? /its clock is (?:2h|119m).* behind this host's/
        : /its clock is (?:2h|119m).* ahead of this host's/,
      mends: (night) => setClock(night, '+0'),
    }),
  ),
];

runNight(rows);
