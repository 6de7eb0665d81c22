// Ctrl-C and TERM during anything: the agent ends and leaves nothing behind. Which parts its two seconds have is held by the test
// of the policy; here nothing that hangs for half a minute and more is waited for.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runProgram, startAgent, type TestAgent } from '../support/cli.ts';
import { mountDatabase } from '../support/database-engine.ts';
import { startDevVault, type TestVault } from '../support/dev-vault.ts';
import { startPostgres } from '../support/postgres.ts';
import { isAlive, readWhenThere } from '../support/test-environment.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const limitMs = 15_000;

interface Scene {
  folder: string;
  vault: TestVault;
  /** A program that notes its pid in the file `pids`, then hangs and ignores TERM and INT. */
  hang: string[];
}

interface Case {
  what: string;
  config?: (scene: Scene) => Record<string, unknown>;
  signal?: 'SIGINT' | 'SIGTERM';
  /** Before the agent starts. */
  prepare?: (scene: Scene) => void | Promise<void>;
  /** Resolves when the moment has come. */
  until: (agent: TestAgent, scene: Scene) => Promise<unknown>;
}

const secret = { app: { path: 'secret/app' } };
const hangs = ({ folder }: Scene) =>
  waitFor('the program that hangs', () => existsSync(join(folder, 'pids')));

/** Opens a request that the agent is to end. */
function open(agent: TestAgent, path: string, headers: Record<string, string> = {}): void {
  const ended = () => undefined;
  request(
    { socketPath: agent.socket, path, headers: { host: 'localhost', ...headers } },
    (answer) => void answer.resume().on('error', ended),
  )
    .on('error', ended)
    .end();
}

const cases: Case[] = [
  {
    what: 'a start without a vault',
    prepare: ({ vault }) => vault.vault.close(),
    until: (agent) => waitFor('the socket', () => existsSync(agent.socket)),
  },
  {
    what: 'a login that is not answered',
    prepare: ({ vault }) => vault.addFault({ kind: 'half-open' }),
    until: async (agent, { vault }) => {
      await waitFor('the socket', () => existsSync(agent.socket));
      await waitFor('the login', () => vault.countRequests(/lookup-self/) > 0);
    },
  },
  {
    what: 'the first read, which is not answered',
    prepare: ({ vault }) => vault.addFault({ kind: 'half-open', path: 'secret/data' }),
    until: (_, { vault }) => waitFor('the read', () => vault.countRequests(/GET secret\/data/) > 0),
  },
  {
    what: 'a check command that hangs',
    config: ({ folder, hang }) => ({
      files: [
        {
          contents: '{{ field "app" "word" }}',
          destination: join(folder, 'app.conf'),
          check: { command: [...hang, '{staged}'], timeout: '60s' },
        },
      ],
    }),
    until: (_, scene) => hangs(scene),
  },
  {
    what: 'a notify command that hangs',
    config: ({ folder, hang }) => ({
      files: [
        {
          contents: '{{ field "app" "word" }}',
          destination: join(folder, 'app.conf'),
          notify: { command: hang, timeout: '60s' },
        },
      ],
    }),
    until: (_, scene) => hangs(scene),
  },
  {
    what: 'a transaction over a set, in its check',
    config: ({ folder, hang }) => ({
      files: ['a', 'b', 'c'].map((name) => ({
        contents: '{{ field "app" "word" }}',
        destination: join(folder, `${name}.conf`),
        set: 'all',
        ...(name === 'c' ? { check: { command: hang, timeout: '60s' } } : {}),
      })),
    }),
    until: (_, scene) => hangs(scene),
  },
  {
    what: 'a probe that hangs',
    config: ({ folder, hang }) => ({
      files: [
        {
          contents: '{{ field "app" "word" }}',
          destination: join(folder, 'app.conf'),
          settle: { command: hang, timeout: '60s' },
        },
      ],
    }),
    until: (_, scene) => hangs(scene),
  },
  {
    what: 'a supervised child that ignores TERM',
    signal: 'SIGINT',
    config: ({ hang }) => ({
      processes: [
        {
          name: 'stubborn',
          command: hang,
          env: { WORD: '{{ field "app" "word" }}' },
          stop: { signal: 'TERM', timeout: '30s' },
        },
      ],
    }),
    until: (_, scene) => hangs(scene),
  },
  {
    what: 'a supervised child that ignores TERM past its stop.timeout',
    signal: 'SIGTERM',
    config: ({ hang }) => ({
      processes: [{ name: 'stubborn', command: hang, stop: { signal: 'TERM', timeout: '500ms' } }],
    }),
    until: (_, scene) => hangs(scene),
  },
  {
    what: 'an open stream of events and a GET that waits',
    until: async (agent) => {
      await agent.untilReady();
      const { headers } = await agent.ask('/secrets/app/word');
      open(agent, '/events');
      open(agent, '/secrets/app/word?wait=60s', { 'if-none-match': String(headers['etag']) });
      await waitFor('both to be open', async () => {
        const { text } = await agent.ask('/metrics');
        return /^latchkey_open_waits 1$/m.test(text) && /^latchkey_open_event_streams 1$/m.test(text);
      });
    },
  },
  {
    what: 'a vault that no longer answers',
    until: async (agent, { vault }) => {
      await agent.untilReady();
      vault.addFault({ kind: 'half-open' });
      process.kill(agent.pid, 'SIGUSR1');
      await waitFor('a request', () => agent.log().includes('refresh was asked for'));
    },
  },
];

async function setUp(t: Test): Promise<Scene> {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'one' });
  const pids = join(folder, 'pids');
  // The grandchild is in the same group and has to go as well.
  const hang = [
    'sh',
    '-c',
    `trap '' TERM INT; sleep 300 & echo "$$ $!" >> ${pids}; while :; do sleep 300; done`,
  ];
  return { folder, vault, hang };
}

function pidsOf(folder: string): number[] {
  return (readWhenThere(join(folder, 'pids')) ?? '').split(/\s+/).filter(Boolean).map(Number);
}

async function endsInTime(t: Test, agent: TestAgent, signal: NodeJS.Signals, folder: string): Promise<void> {
  const begin = performance.now();
  agent.child.kill(signal);
  const { code, stderr } = await agent.exited;
  const ms = Math.round(performance.now() - begin);
  t.ok(ms < limitMs, `ends in ${ms} ms`);
  t.strictSame({ code, stderr }, { code: 0, stderr: '' });
  t.notOk(existsSync(agent.socket), 'no socket is left');
  t.strictSame(
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.includes('.latchkey-') && !name.startsWith('state/'),
    ),
    [],
    'nothing staged is left',
  );
  await waitFor('every child to be gone', () => !pidsOf(folder).some(isAlive));
}

for (const [index, { what, config, prepare, until, ...rest }] of cases.entries()) {
  const signal = rest.signal ?? (index % 2 === 0 ? 'SIGINT' : 'SIGTERM');
  t.test(`${signal} during ${what}`, async (t) => {
    const scene = await setUp(t);
    await prepare?.(scene);
    const { folder, vault } = scene;
    const agent = startAgent(t, {
      folder,
      vault,
      upstream: { events: false },
      config: {
        secrets: secret,
        ...config?.(scene),
      },
    });
    await until(agent, scene);
    await endsInTime(t, agent, signal, folder);
  });
}

t.test('leases that should be revoked are, while a child and a notify hang', async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  const scene = await setUp(t);
  const { folder, vault, hang } = scene;
  const database = await mountDatabase(vault, postgres, { defaultTtl: '1h', maxTtl: '24h' });
  const { roleId, secretId } = await vault.createAppRole('agent', { policies: ['agent'] });
  await vault.writePolicy('agent', 'path "*" { capabilities = ["read", "update", "list"] }');
  writeFileSync(join(folder, 'secret-id'), secretId, { mode: 0o600 });
  for (const [signal, onExit] of [
    ['SIGINT', 'revoke'],
    ['SIGTERM', 'revoke'],
    ['SIGTERM', 'keep'],
  ] as const) {
    writeFileSync(join(folder, 'pids'), '');
    const destination = join(folder, `${signal}-${onExit}.conf`);
    const agent = startAgent(t, {
      folder,
      vault,
      config: {
        upstreams: {
          vault: {
            kind: 'vault',
            address: vault.address,
            auth: {
              method: 'approle',
              role_id: roleId,
              secret_id_file: join(folder, 'secret-id'),
              remove_secret_id_file: false,
            },
          },
        },
        secrets: { db: { path: 'database/creds/app', on_exit: onExit } },
        files: [{ contents: '{{ field "db" "username" }}', destination, notify: { command: hang } }],
        processes: [
          {
            name: 'child',
            command: hang,
            env: { USER: '{{ field "db" "username" }}' },
            stop: { signal: 'TERM', timeout: signal === 'SIGINT' ? '30s' : '500ms' },
          },
        ],
      },
    });
    await waitFor('both that hang', () => pidsOf(folder).length === 4);
    t.strictSame(await database.roles(), [readFileSync(destination, 'utf8')]);
    await endsInTime(t, agent, signal, folder);
    const left = onExit === 'keep' ? 1 : 0;
    t.equal((await database.roles()).length, left, `${onExit}: ${left} roles`);
    t.equal((await database.leases()).length, left, `${onExit}: ${left} leases`);
  }
});

t.test('a second signal ends it at once', async (t) => {
  const { folder, vault, hang } = await setUp(t);
  const agent = startAgent(t, {
    folder,
    vault,
    config: { processes: [{ name: 'stubborn', command: hang, stop: { signal: 'TERM', timeout: '30s' } }] },
  });
  await hangs({ folder, vault, hang });
  agent.child.kill('SIGINT');
  await waitFor('it to be stopping', () => !existsSync(agent.socket));
  agent.child.kill('SIGINT');
  const { code } = await agent.exited;
  t.equal(code, 130);
  await waitFor('every child to be gone', () => !pidsOf(folder).some(isAlive));
});

t.test('a login that the next start cannot have is told before the stop and in the log', async (t) => {
  const scene = async (auth: object, prepare: (vault: TestVault, path: string) => Promise<string>) => {
    const folder = testFolder(t);
    const vault = await startDevVault(t);
    await vault.writeSecret('secret/app', { word: 'good' });
    const path = join(folder, 'credential');
    writeFileSync(path, await prepare(vault, path), { mode: 0o600 });
    const filled = JSON.parse(JSON.stringify(auth).replaceAll('PATH', path));
    const upstreams = { vault: { address: vault.address, auth: filled } };
    const agent = startAgent(t, { folder, vault, config: { upstreams, secrets: secret } });
    await agent.untilReady();
    const ended = await runProgram(t, ['stop', '--socket', agent.socket]);
    await agent.exited;
    return { ended, log: agent.log() };
  };
  const wrapped = async ({ address, rootToken }: TestVault, path: string, fields: object) => {
    const answer = await fetch(`${address}/v1/${path}`, {
      method: 'PUT',
      headers: { 'x-vault-token': rootToken, 'x-vault-wrap-ttl': '300s' },
      body: JSON.stringify(fields),
    });
    return ((await answer.json()) as { wrap_info: { token: string } }).wrap_info.token;
  };
  const lost = await scene({ method: 'token_file', path: 'PATH', unwrap: true }, (vault) =>
    wrapped(vault, 'auth/token/create', { policies: ['root'] }),
  );
  t.match(lost.ended, {
    code: 0,
    stderr: /^warning: the next start cannot log in to vault with what was used up.*\nstopped: /,
  });
  t.match(lost.log, /"upstream":"vault","msg":"the next start cannot log in with what was used up/);
  const again = await scene({ method: 'token_file', path: 'PATH' }, (vault) => vault.createToken());
  t.match(again.ended, { code: 0, stderr: /^stopped: / }, 'a login that can be repeated');
  t.notMatch(again.log, /cannot log in with what was used up/);
});
