// Tells systemd how the agent is: sd_notify(3), a datagram to $NOTIFY_SOCKET. Node has no datagram unix sockets, so the
// C library sends it.

import type { Logger } from '../../base/logger.ts';
import { sendto, socket } from '../../base/system/libc.ts';

export interface ServiceNotifier {
  /** `READY=1`, `RELOADING=1`, `STOPPING=1`, `STATUS=…`, one or more lines. */
  send(state: string): void;
  /** Starts the watchdog's heartbeat where the unit asks for one (WATCHDOG_USEC). */
  startWatchdog(isAlive: () => boolean): void;
  close(): void;
}

const afUnix = 1;
const sockDgram = 2;
const sockCloexec = 0o2000000;

const silentNotifier: ServiceNotifier = { send() {}, startWatchdog() {}, close() {} };

/** Does nothing where there is no $NOTIFY_SOCKET; a failing send is logged once and never an error. */
export function createServiceNotifier(options: { env: NodeJS.ProcessEnv; logger: Logger }): ServiceNotifier {
  const { env, logger } = options;
  const path = env['NOTIFY_SOCKET'];
  if (path === undefined || path === '') return silentNotifier;
  const descriptor = socket(afUnix, sockDgram | sockCloexec, 0);
  const address = addressOf(path);
  let heartbeat: NodeJS.Timeout | undefined;
  let hasFailed = false;

  function send(state: string): void {
    const message = Buffer.from(state);
    const sent = sendto(descriptor, message, message.length, 0, address, address.length);
    if (sent < 0 && !hasFailed) {
      hasFailed = true;
      logger.warn({ socket: path }, 'cannot notify systemd: sendto failed');
    }
  }
  return {
    send,
    startWatchdog(isAlive) {
      const intervalMs = Number(env['WATCHDOG_USEC'] ?? 0) / 1000 / 2;
      const isMeantForUs = env['WATCHDOG_PID'] === undefined || env['WATCHDOG_PID'] === String(process.pid);
      if (!(intervalMs > 0) || !isMeantForUs) return;
      heartbeat = setInterval(() => {
        if (isAlive()) send('WATCHDOG=1');
      }, intervalMs);
      heartbeat.unref();
    },
    close() {
      clearInterval(heartbeat);
    },
  };
}

/** `struct sockaddr_un`: the family, then the path; `@` begins an abstract name, unix(7). */
function addressOf(path: string): Buffer {
  const name = path.startsWith('@') ? `\0${path.slice(1)}` : `${path}\0`;
  const family = Buffer.alloc(2);
  family.writeUInt16LE(afUnix);
  return Buffer.concat([family, Buffer.from(name)]);
}
