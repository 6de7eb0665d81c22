// The built command as users run it: started with a config in a folder of the test's own, ended with the test.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join, resolve } from 'node:path';
import type { Test } from 'tap';
import { tellWhenFailed } from './told-when-failed.ts';
import { waitFor } from './wait-for.ts';

export const program = resolve(import.meta.dirname, '../../dist/main.js');

/** As the shebang line of the program has it. */
export const nodeOptions = ['--disable-sigusr1'];

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningProgram {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly exited: Promise<Finished>;
  stdout(): string;
  stderr(): string;
}

interface StartOptions {
  env?: Record<string, string>;
  cwd?: string;
  uid?: number;
  gid?: number;
  /** Another copy of the built command. */
  main?: string;
  /** Options of Node beside those that the program has by itself. */
  node?: readonly string[];
  /** A descriptor that it is started with, and the number that it has there. */
  inherits?: { readonly fd: number; readonly as: number };
}

/** Starts `latchkey ARGS` with a clean environment; killed at the end of the test if it still runs. */
export function startProgram(t: Test, args: readonly string[], options: StartOptions = {}): RunningProgram {
  const { env = {}, main = program, node = [], inherits, ...rest } = options;
  const more: ('ignore' | number)[] = [];
  if (inherits !== undefined) more.push(...Array(inherits.as - 3).fill('ignore'), inherits.fd);
  const child = spawn(process.execPath, [...nodeOptions, ...node, main, ...args], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe', ...more],
    ...rest,
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const exited = new Promise<Finished>((resolveExit) => {
    child.on('close', (code, signal) => resolveExit({ code, signal, stdout, stderr }));
  });
  // Called last first: it has ended when it is told.
  tellWhenFailed(t, `latchkey ${args.join(' ')}`, () => {
    const { exitCode, signalCode } = child;
    return `${stdout.slice(-20_000)}${stderr.slice(-20_000)}ended with ${exitCode ?? signalCode}`;
  });
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
  });
  return { child, pid: child.pid ?? 0, exited, stdout: () => stdout, stderr: () => stderr };
}

export function runProgram(t: Test, args: readonly string[], options: StartOptions = {}): Promise<Finished> {
  return startProgram(t, args, options).exited;
}

export interface LocalReply {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
}

/** One request over the agent's unix socket. */
export function askSocket(
  socketPath: string,
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<LocalReply> {
  const { method = 'GET', headers = {}, body } = options;
  return new Promise((resolveReply, reject) => {
    const sent = request(
      { socketPath, path, method, headers: { host: 'localhost', ...headers }, agent: false },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('end', () =>
          resolveReply({ status: answer.statusCode ?? 0, headers: answer.headers, text }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

export interface TestAgent extends RunningProgram {
  readonly folder: string;
  readonly socket: string;
  readonly configPath: string;
  readonly logPath: string;
  ask(path: string, options?: Parameters<typeof askSocket>[2]): Promise<LocalReply>;
  untilReady(): Promise<void>;
  log(): string;
  stop(): Promise<Finished>;
}

interface AgentSetup {
  folder: string;
  vault: { address: string; rootToken: string };
  /** Of the upstream, where it is another than the one that is filled in: with a token, and events. */
  upstream?: Record<string, unknown>;
  /** The rest of the config; upstream, socket, log and state folder are filled in where it does not say. */
  config: Record<string, unknown>;
  env?: Record<string, string>;
  uid?: number;
  gid?: number;
  main?: string;
  node?: readonly string[];
  inherits?: StartOptions['inherits'];
}

/** Writes the config (JSON is YAML) and starts `latchkey agent`. */
export function startAgent(t: Test, setup: AgentSetup): TestAgent {
  const { folder, vault } = setup;
  const socket = join(folder, 'latchkey.sock');
  const configPath = join(folder, 'latchkey.yaml');
  const logPath = join(folder, 'agent.log');
  writeFileSync(
    configPath,
    JSON.stringify({
      upstreams: {
        vault: { kind: 'vault', address: vault.address, auth: { method: 'token' }, ...setup.upstream },
      },
      listeners: [{ unix: socket, serve: ['secrets', 'admin', 'metrics'] }],
      log: { level: 'debug', format: 'json', file: logPath },
      state_dir: join(folder, 'state'),
      ...setup.config,
    }),
    { mode: 0o600 },
  );
  const running = startProgram(t, ['agent', '--config', configPath], {
    env: { VAULT_TOKEN: vault.rootToken, ...setup.env },
    ...(setup.uid === undefined ? {} : { uid: setup.uid }),
    ...(setup.gid === undefined ? {} : { gid: setup.gid }),
    ...(setup.main === undefined ? {} : { main: setup.main }),
    ...(setup.node === undefined ? {} : { node: setup.node }),
    ...(setup.inherits === undefined ? {} : { inherits: setup.inherits }),
  });
  tellWhenFailed(t, logPath, () => (existsSync(logPath) ? readFileSync(logPath, 'utf8') : 'no log'));
  const ask: TestAgent['ask'] = (path, options) => askSocket(socket, path, options);
  return {
    ...running,
    folder,
    socket,
    configPath,
    logPath,
    ask,
    untilReady: async () => {
      await waitFor(
        'the agent is ready',
        async () => (await ask('/readyz').catch(() => undefined))?.status === 200,
      );
    },
    log: () => readFileSync(logPath, 'utf8'),
    stop: () => {
      running.child.kill('SIGTERM');
      return running.exited;
    },
  };
}
