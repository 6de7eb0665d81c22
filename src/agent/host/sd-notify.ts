// Tells systemd how the agent is: sd_notify(3), a datagram to $NOTIFY_SOCKET.

import type { Logger } from '../../base/logger.ts';
import { createUnixDatagram } from '../../base/system/unix-datagram.ts';

export interface ServiceNotifier {
  /** `READY=1`, `RELOADING=1`, `STOPPING=1`, `STATUS=…`, one or more lines. */
  send(state: string): void;
  /** Starts the watchdog's heartbeat where the unit asks for one (WATCHDOG_USEC); it goes on to the end of the stop. */
  startWatchdog(): void;
  close(): void;
}

const silentNotifier: ServiceNotifier = { send() {}, startWatchdog() {}, close() {} };

/** Does nothing where there is no $NOTIFY_SOCKET; a failing send is logged once and never an error. */
export function createServiceNotifier(options: { env: NodeJS.ProcessEnv; logger: Logger }): ServiceNotifier {
  const { env, logger } = options;
  const path = env['NOTIFY_SOCKET'];
  if (path === undefined || path === '') return silentNotifier;
  const datagram = createUnixDatagram(path);
  let heartbeat: NodeJS.Timeout | undefined;
  let hasFailed = false;

  function send(state: string): void {
    const error = datagram.send(Buffer.from(state));
    if (error === undefined || hasFailed) return;
    hasFailed = true;
    logger.warn({ socket: path, error }, 'systemd cannot be notified');
  }
  return {
    send,
    startWatchdog() {
      const intervalMs = Number(env['WATCHDOG_USEC'] ?? 0) / 1000 / 2;
      const isMeantForUs = env['WATCHDOG_PID'] === undefined || env['WATCHDOG_PID'] === String(process.pid);
      if (!(intervalMs > 0) || !isMeantForUs) return;
      heartbeat = setInterval(() => send('WATCHDOG=1'), intervalMs);
      heartbeat.unref();
    },
    close() {
      clearInterval(heartbeat);
    },
  };
}
