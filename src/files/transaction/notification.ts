// Tells programs that their files changed: by a command, a signal to the process in a pid file or to a supervised one, or
// through systemd. Identical notifications are one; who decides when and how often is the transaction.

import { readFile } from 'node:fs/promises';
import { errnoOf } from '../../base/errno.ts';
import { LatchkeyError } from '../../base/errors.ts';
import type { SecretValue } from '../../base/secret-value.ts';
import type { NotifyConfig } from '../../config/resolved.ts';
import { runChecked } from './checked-command.ts';
import type { RunCommand, SignalProcess } from './ports.ts';

export interface Notification {
  /** Equal keys mean the same effect. */
  readonly key: string;
  /** `nginx -s reload`, `HUP to the process in /run/app.pid`: for logs and status. */
  readonly text: string;
  readonly config: NotifyConfig;
  readonly placeholders: Readonly<Record<string, string>>;
  /** `files[2].notify[0]` of the first file that wants it. */
  readonly place: string;
}

export interface NotifyTools {
  readonly runCommand: RunCommand;
  readonly signalProcess: SignalProcess;
}

/** What a file wants to be sent, in declared order. */
export function notificationsOf(file: {
  readonly place: string;
  readonly destination: string;
  readonly notify: readonly NotifyConfig[];
}): Notification[] {
  const placeholders = { destination: file.destination, staged: file.destination };
  return file.notify.map((config, index) => ({
    key: keyOf(config, file.destination),
    text: textOf(config),
    config,
    placeholders,
    place: `${file.place}.notify[${index}]`,
  }));
}

/** Throws `notify_failed`. */
export async function sendNotification(
  notification: Notification,
  tools: NotifyTools,
  options: { readonly signal: AbortSignal; readonly masks: readonly SecretValue[] },
): Promise<void> {
  const { config, place, placeholders } = notification;
  if (config.kind === 'signal') {
    if ('pidFile' in config) await signalByPidFile(config.pidFile, config.signal, place);
    else await signalByName(config.process, config.signal, place, tools.signalProcess);
    return;
  }
  const command = config.kind === 'unit' ? unitCommand(config) : config.command;
  await runChecked(tools.runCommand, {
    command,
    timeoutMs: config.timeoutMs,
    placeholders,
    place,
    code: 'notify_failed',
    ...options,
  });
}

/** Reads the file anew, so that a program that was restarted meanwhile gets the signal. */
async function signalByPidFile(pidFile: string, signal: NodeJS.Signals, place: string): Promise<void> {
  const pid = await readPid(pidFile, place);
  try {
    process.kill(pid, signal);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ESRCH') {
      throw new LatchkeyError('notify_failed', `${place}: ${pidFile} is stale: no process ${pid} runs`, {
        remedy: 'start the program, or name the pid file that it writes',
      });
    }
    throw new LatchkeyError('notify_failed', `${place}: cannot send ${signal} to process ${pid} (${code})`, {
      cause: error,
      remedy: 'run the agent as root or as the user of that process',
    });
  }
}

async function readPid(pidFile: string, place: string): Promise<number> {
  const text = await readFile(pidFile, 'latin1').catch((error: unknown) => {
    throw new LatchkeyError('notify_failed', `${place}: cannot read ${pidFile} (${errnoOf(error)})`, {
      cause: error,
      remedy: 'start the program, or name the pid file that it writes',
    });
  });
  const pid = /^\s*(\d{1,10})\s*(?:\n|$)/.exec(text)?.[1];
  // 0 and negative numbers would reach whole process groups, our own number ourselves.
  if (pid === undefined || Number(pid) === 0 || Number(pid) === process.pid) {
    throw new LatchkeyError('notify_failed', `${place}: ${pidFile} holds no process id of another program`, {
      remedy: 'name the pid file that the program writes',
    });
  }
  return Number(pid);
}

async function signalByName(
  name: string,
  signal: NodeJS.Signals,
  place: string,
  signalProcess: SignalProcess,
): Promise<void> {
  try {
    await signalProcess(name, signal);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new LatchkeyError('notify_failed', `${place}: cannot send ${signal} to ${name}: ${why}`, {
      cause: error,
    });
  }
}

function unitCommand(config: Extract<NotifyConfig, { kind: 'unit' }>): string[] {
  if (config.action === 'kill') {
    return ['systemctl', 'kill', `--signal=${config.signal ?? 'SIGHUP'}`, '--', config.unit];
  }
  return ['systemctl', config.action, '--', config.unit];
}

function keyOf(config: NotifyConfig, destination: string): string {
  if (config.kind !== 'command') return JSON.stringify(config);
  const command = config.command.map((word) =>
    word.replaceAll('{destination}', destination).replaceAll('{staged}', destination),
  );
  return JSON.stringify(['command', command]);
}

function textOf(config: NotifyConfig): string {
  if (config.kind === 'command') return config.command.join(' ');
  if (config.kind === 'unit') return unitCommand(config).join(' ');
  const whom = 'pidFile' in config ? `the process in ${config.pidFile}` : config.process;
  return `${config.signal} to ${whom}`;
}
