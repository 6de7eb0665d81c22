// Sockets that systemd hands over (sd_listen_fds(3)): descriptors from 3 on, named by LISTEN_FDNAMES. They stay
// open as long as the agent runs and are lent as duplicates: a reload may take a listener away and another bring it back.
import { LatchkeyError } from '../../base/errors.ts';
import { fcntl } from '../../base/system/libc.ts';
import { keyAt } from '../../base/text/key-at.ts';

interface LentSocket {
  /** To be closed by whoever took it. */
  readonly fd: number;
  /** After that: another listener may take the socket. */
  giveBack(): void;
}

export interface ActivatedSockets {
  /** A socket of that name that no other listener has. Throws `listener_failed` when there is none. */
  take(place: string, name: string): LentSocket;
}

const firstFd = 3;
const fcntlSetFd = 2;
const closeOnExec = 1;
const fcntlDuplicate = 1030; // F_DUPFD_CLOEXEC

/** Reads and removes the variables, so that no child takes them for its own. */
export function readActivatedSockets(): ActivatedSockets {
  const sockets = new Map<string, number[]>();
  const { LISTEN_PID: pid, LISTEN_FDS: count, LISTEN_FDNAMES: names } = process.env;
  for (const variable of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete process.env[variable];
  if (pid === String(process.pid) && /^\d{1,4}$/.test(count ?? '')) {
    const list = names === undefined ? [] : names.split(':');
    for (let index = 0; index < Number(count); index += 1) {
      const name = list[index] ?? 'unknown';
      sockets.set(name, [...(sockets.get(name) ?? []), firstFd + index]);
      setCloseOnExec(firstFd + index);
    }
  }
  return {
    take(place, name) {
      const those = sockets.get(name);
      const socket = those?.shift();
      if (those !== undefined && socket !== undefined) {
        return { fd: fcntl(socket, fcntlDuplicate, firstFd), giveBack: () => void those.unshift(socket) };
      }
      const known = [...sockets.keys()];
      const listed = known.length === 0 ? 'none was handed over' : `got ${known.join(', ')}`;
      const got = those === undefined ? listed : 'all of that name are taken by other listeners';
      throw new LatchkeyError(
        'listener_failed',
        `${keyAt(place, 'systemd')}: expected a socket named ${name}, ${got}`,
        {
          remedy: `set FileDescriptorName=${name} in the .socket unit and start that unit`,
        },
      );
    },
  };
}

/** systemd hands them over without it; supervised children must not inherit a listening socket. */
function setCloseOnExec(fd: number): void {
  fcntl(fd, fcntlSetFd, closeOnExec);
}
