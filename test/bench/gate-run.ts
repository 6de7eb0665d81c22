// One run of the built agent under valgrind for the gate: an embedded vault here, the agent there, a piece of work, and the
// number of instructions that the agent took in all.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createDevVault, type DevVault } from '@latchkey/devvault/dev-vault.ts';

export interface GateWork {
  readonly what: string;
  run?(tools: GateTools): Promise<void>;
}

export interface GateTools {
  /** Of the agent, on its socket. Throws when it does not answer with 200. */
  ask(method: string, path: string, body?: unknown): Promise<void>;
  /** Another value for the secret `s0`. */
  rotate(round: number): Promise<void>;
}

const program = resolve(import.meta.dirname, '../../dist/main.js');
const count = 10;
/** The agent collects its garbage thoroughly two seconds after its start: with each work, or with none. */
const restMs = 3000;
const limitMs = 300_000;
/** A minute after a change the agent collects once more: what took longer holds work that a quicker machine leaves out. */
const longestMs = 55_000;
/** Hashes and addresses as they were the last time. */
const repeating = ['--hash-seed=42', '--random-seed=42'];

/** Undefined: on a machine as busy as this one it took too long to be compared. */
export async function countInstructions(work: GateWork): Promise<number | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-gate-'));
  const vault = createDevVault({ rootToken: 'root' });
  try {
    const place = { folder, address: await vault.start(), vault };
    for (let index = 0; index < count; index += 1) await writeSecret(vault, index, 'a value');
    await runAgent([], place, {}); // fills the folder of compiled code
    const out = join(folder, 'callgrind.out');
    const options = ['--tool=callgrind', '--smc-check=all-non-file', `--callgrind-out-file=${out}`];
    const begin = performance.now();
    const told = await runAgent(['setarch', '-R', 'valgrind', ...options], place, work);
    const tookMs = performance.now() - begin;
    const counted = /Collected\s*:\s*(\d+)/.exec(told)?.[1];
    if (counted === undefined) throw new Error(`valgrind did not count: ${told.slice(-2000)}`);
    return tookMs > longestMs ? undefined : Number(counted);
  } finally {
    await vault.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Place {
  readonly folder: string;
  readonly address: string;
  readonly vault: DevVault;
}

function writeSecret(vault: DevVault, index: number, value: string) {
  return vault.request('PUT', `secret/data/s${index}`, { data: { value, user: `app-${index}` } });
}

/** Gives what it wrote on stderr. */
async function runAgent(
  before: readonly string[],
  place: Place,
  { run }: Pick<GateWork, 'run'>,
): Promise<string> {
  const { folder, vault } = place;
  rmSync(join(folder, 'files'), { recursive: true, force: true });
  const socket = join(folder, 'agent.sock');
  const [command = '', ...args] = [...before, process.execPath, ...nodeFlags(), ...repeating, program];
  const child = spawn(command, [...args, 'agent', '--config', writeConfig(place, socket)], {
    env: { PATH: process.env['PATH'], VAULT_TOKEN: 'root', CACHE_DIRECTORY: folder, MALLOC_ARENA_MAX: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let told = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    told += text;
  });
  const ended = new Promise((resolveEnd) => child.once('close', resolveEnd));
  try {
    await untilWritten(child, join(folder, 'files'), () => told);
    await delay(restMs);
    const connections = new Agent({ keepAlive: true, maxSockets: 1 });
    await run?.({
      ask: (...words) => ask(connections, socket, ...words),
      rotate: async (round) => void (await writeSecret(vault, 0, `value ${round}`)),
    });
    connections.destroy();
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
  return told;
}

/** Those of the first line of the program. */
function nodeFlags(): string[] {
  const [line = ''] = readFileSync(program, 'utf8').split('\n');
  return line.split(' ').filter((word) => word.startsWith('--'));
}

function writeConfig({ folder, address }: Place, socket: string): string {
  const names = Array.from({ length: count }, (_, index) => `s${index}`);
  const auth = { method: 'token' };
  const budget = { requests_per_second: 1000, concurrency: 32 };
  const config = {
    upstreams: { vault: { kind: 'vault', address, auth, events: false, budget } },
    secrets: Object.fromEntries(names.map((name) => [name, { path: `secret/${name}`, refresh: '1h' }])),
    files: names.map((name) => ({
      contents: templateOf(name),
      destination: join(folder, 'files', `${name}.conf`),
      create_parents: true,
    })),
    listeners: [{ unix: socket, serve: ['secrets', 'vault', 'aws', 'admin'] }],
    state_dir: join(folder, 'state'),
    log: { level: 'error' },
  };
  const path = join(folder, 'latchkey.json');
  writeFileSync(path, JSON.stringify(config));
  return path;
}

/** The first has two hundred lines. */
function templateOf(name: string): string {
  const line = `user = {{ field "${name}" "user" | toUpper }} password = {{ field "${name}" "value" | toJSON }}\n`;
  return name === 's0' ? line.repeat(200) : line;
}

async function untilWritten(child: ChildProcess, folder: string, told: () => string): Promise<void> {
  const end = Date.now() + limitMs;
  const isThere = (index: number) => existsSync(join(folder, `s${index}.conf`));
  while (!Array.from({ length: count }, (_, index) => index).every(isThere)) {
    if (child.exitCode !== null || Date.now() > end) throw new Error(`no files: ${told().slice(-2000)}`);
    await delay(20);
  }
}

function ask(
  agent: Agent,
  socketPath: string,
  ...[method, path, body]: Parameters<GateTools['ask']>
): Promise<void> {
  const { promise, resolve: done, reject } = Promise.withResolvers<void>();
  const sent = request({ agent, socketPath, method, path }, (response) => {
    response.resume();
    response.once('end', () => {
      if (response.statusCode === 200) done();
      else reject(new Error(`${method} ${path}: expected 200, got ${response.statusCode}`));
    });
  });
  sent.once('error', reject);
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  return promise;
}
