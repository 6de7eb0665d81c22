// Sockets that systemd hands over (sd_listen_fds(3)): descriptors from 3 on, named by LISTEN_FDNAMES. Each is given out
// once; what is left over stays open, for a reload may ask for it.
import { LatchkeyError } from '../../base/errors.ts';
import { fcntl } from '../../base/libc.ts';

export interface ActivatedSockets {
  /** The descriptor of that name. Throws `listener_failed` when there is none (any more). */
  take(place: string, name: string): number;
  /** Gives a descriptor back that could not be used. */
  giveBack(name: string, fd: number): void;
}

const firstFd = 3;
const fcntlSetFd = 2;
const closeOnExec = 1;

/** Reads and removes the variables, so that no child takes them for its own. */
export function readActivatedSockets(environment: NodeJS.ProcessEnv = process.env): ActivatedSockets {
  const sockets = new Map<string, number[]>();
  const { LISTEN_PID: pid, LISTEN_FDS: count, LISTEN_FDNAMES: names } = environment;
  for (const variable of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete environment[variable];
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
      const fd = sockets.get(name)?.shift();
      if (fd !== undefined) return fd;
      const known = [...sockets.keys()];
      const got = known.length === 0 ? 'none was handed over' : `got ${known.join(', ')}`;
      throw new LatchkeyError(
        'listener_failed',
        `${place}.systemd: expected a socket named ${name}, ${got}`,
        {
          remedy: `set FileDescriptorName=${name} in the .socket unit and start that unit`,
        },
      );
    },
    giveBack(name, fd) {
      sockets.get(name)?.unshift(fd);
    },
  };
}

/** systemd hands them over without it; supervised children must not inherit a listening socket. */
function setCloseOnExec(fd: number): void {
  fcntl(fd, fcntlSetFd, closeOnExec);
}
