// Tells programs that their files changed: by a command, a signal to the process in a pid file or to a supervised one, or
// through systemd. Identical notifications are one; who decides when and how often is the transaction.

import { LatchkeyError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { RunCommand } from '../../base/run-command.ts';
import type { SecretValue } from '../../base/secret-value.ts';
import { keyAt } from '../../base/text/key-at.ts';
import type { NotifyConfig } from '../../config/resolved.ts';
import { runChecked } from './checked-command.ts';
import type { SignalProcess } from './ports.ts';
import { NotRunningError, signalByPidFile } from './signal-by-pid-file.ts';

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
  readonly logger?: Logger;
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
    place: keyAt(file.place, `notify[${index}]`),
  }));
}

/** Whether somebody was told: a program that does not run is not. Throws `notify_failed`. */
export async function sendNotification(
  notification: Notification,
  tools: NotifyTools,
  options: { readonly signal: AbortSignal; readonly masks: readonly SecretValue[] },
): Promise<boolean> {
  const { config, place, placeholders } = notification;
  if (config.kind === 'signal') {
    if ('pidFile' in config) return await signalIfRunning(config, place, tools.logger);
    await signalByName(config.process, config.signal, place, tools.signalProcess);
    return true;
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
  return true;
}

/** A program that does not run counts as told: it reads the file when it starts, and may be waiting for us to do so. */
async function signalIfRunning(
  { pidFile, signal }: { readonly pidFile: string; readonly signal: NodeJS.Signals },
  place: string,
  logger: Logger | undefined,
): Promise<boolean> {
  try {
    await signalByPidFile({ pidFile, signal, place });
    return true;
  } catch (error) {
    if (!(error instanceof NotRunningError)) throw error;
    logger?.info({ pid_file: pidFile }, `${error.message}: it reads the file when it starts`);
    return false;
  }
}

async function signalByName(
  name: string,
  signal: NodeJS.Signals | 'restart',
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
  return config.signal === 'restart' ? `restart of ${whom}` : `${config.signal} to ${whom}`;
}
