// Peers on Linux: SO_PEERCRED, SO_PEERPIDFD, SO_PEERGROUPS and /proc, against the reuse of pids.
import { closeSync, readFileSync, readlinkSync } from 'node:fs';
import {
  getpeername,
  getsockopt,
  lastErrno,
  lastErrnoName,
  pidfdOpen,
  poll,
  setfsgid,
  setfsuid,
} from '../base/system/libc.ts';
import { processStartTime } from '../base/system/process-identity.ts';
import { type ProcessCaller, unknownCaller } from './caller.ts';
import { isGivenAway, isMadeByRoot, parseCgroup } from './cgroup.ts';
import type { PeerReader, ProcessWatch } from './peer.ts';

// asm-generic/socket.h; the same on x86-64 and arm64.
const solSocket = 1;
const soPeerCred = 17;
const soPeerGroups = 59;
const soPeerPidfd = 77;
const enoprotoopt = 92;
const erange = 34;
const noUid = 0xffff_ffff;
const sockaddrUnSize = 110;

export function createLinuxPeerReader(): PeerReader {
  function option(fd: number, name: number, buffer: Buffer): number | undefined {
    const length = [buffer.length];
    return getsockopt(fd, solSocket, name, buffer, length) === 0 ? length[0] : undefined;
  }

  function groupsOf(fd: number, room = 32): number[] | undefined {
    const buffer = Buffer.alloc(room * 4);
    const length = option(fd, soPeerGroups, buffer);
    // ERANGE: more groups than we have room for; the kernel's limit is 65536.
    if (length === undefined) {
      return lastErrno() === erange && room < 65_536 ? groupsOf(fd, room * 8) : undefined;
    }
    return Array.from({ length: length / 4 }, (_, index) => buffer.readUInt32LE(index * 4));
  }

  function follow(fd: number): Peer {
    const credentials = Buffer.alloc(12);
    if (option(fd, soPeerCred, credentials) === undefined) {
      return unknown(`the kernel does not tell the peer (${lastErrnoName()})`);
    }
    const pid = credentials.readInt32LE(0);
    const uid = credentials.readUInt32LE(4);
    const gid = credentials.readUInt32LE(8);
    if (uid === noUid) return unknown('the kernel does not know the peer');
    const groups = groupsOf(fd) ?? [];
    const identity = { kind: 'process' as const, uid, gid, groups, pid: Math.max(0, pid) };
    const pidfd = Buffer.alloc(4);
    if (option(fd, soPeerPidfd, pidfd) !== undefined) return heldByPidfd(identity, pidfd.readInt32LE(0));
    // Kernels before 6.5 have no SO_PEERPIDFD; any other failure means that the process is gone.
    if (lastErrno() !== enoprotoopt) return unknown(ended);
    return pid <= 0
      ? { caller: { ...identity, ...nothingMore }, watch: undefined }
      : heldByStartTime(identity);
  }

  return {
    follow,
    identify(fd) {
      const { caller, watch } = follow(fd);
      watch?.close();
      return caller;
    },
    uidOf(fd) {
      const credentials = Buffer.alloc(12);
      const uid = option(fd, soPeerCred, credentials) === undefined ? noUid : credentials.readUInt32LE(4);
      return uid === noUid ? undefined : uid;
    },
    peerAddress(fd) {
      const buffer = Buffer.alloc(sockaddrUnSize);
      const length = [buffer.length];
      if (getpeername(fd, buffer, length) !== 0) return undefined;
      const path = buffer.subarray(2, Math.min(length[0] ?? 0, sockaddrUnSize));
      if (path.length === 0) return undefined;
      return path[0] === 0
        ? path.subarray(1)
        : path.subarray(0, path.indexOf(0) < 0 ? undefined : path.indexOf(0));
    },
  };
}

const ended = 'the process that connected has ended';
/** Of a process that the agent cannot look at, because it is outside of the agent's pid namespace. */
const nothingMore = {
  startTime: undefined,
  exe: undefined,
  unit: undefined,
  container: undefined,
  isForeign: true,
};

type Credentials = Pick<ProcessCaller, 'kind' | 'uid' | 'gid' | 'groups' | 'pid'>;
type Peer = ReturnType<PeerReader['follow']>;

function unknown(why: string): Peer {
  return { caller: unknownCaller(why), watch: undefined };
}

/** Reads /proc between two looks at a pidfd: if the process still lives afterwards, what was read is of it. */
function heldByPidfd(identity: Credentials, pidfd: number): Peer {
  const watch = createWatch(pidfd);
  const { pid } = identity;
  try {
    const details = pid === 0 ? nothingMore : readProcess(identity);
    if (!watch.isAlive() || (pid !== 0 && pidOf(pidfd) !== pid)) {
      watch.close();
      return unknown(ended);
    }
    // Alive and yet not in /proc: mounted with hidepid. The ids come from the kernel and stay true.
    return { caller: { ...identity, ...(details ?? nothingMore) }, watch };
  } catch {
    watch.close();
    return unknown('the process cannot be looked up in /proc');
  }
}

function pidOf(pidfd: number): number {
  return Number(/^Pid:\s*(-?\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${pidfd}`, 'latin1'))?.[1]);
}

/** Without a pidfd: the start time before and after must be one, and the process must still have the peer's uid and gid. */
function heldByStartTime(identity: Credentials): Peer {
  const { pid } = identity;
  const before = processStartTime(pid);
  const pidfd = pidfdOpen(pid);
  const watch = pidfd < 0 ? undefined : createWatch(pidfd);
  const details = readProcess(identity);
  const ids = readStatusIds(pid);
  const isSame = before !== undefined && details?.startTime === before;
  if (details === undefined || !isSame || ids?.uid !== identity.uid || ids.gid !== identity.gid) {
    watch?.close();
    return unknown(ended);
  }
  const isAlive = (): boolean => processStartTime(pid) === before;
  return {
    caller: { ...identity, ...details },
    watch: watch ?? { isAlive, close: () => undefined },
  };
}

const pollIn = 1;
const mostInterrupted = 1000;

/** A pidfd is readable from the end of its process on (pidfd_open(2)). */
function createWatch(pidfd: number): ProcessWatch {
  const request = Buffer.alloc(8);
  request.writeInt32LE(pidfd, 0);
  request.writeInt16LE(pollIn, 4);
  let hasEnded = false;
  let isClosed = false;
  return {
    isAlive() {
      if (hasEnded || isClosed) return !hasEnded;
      let found = poll(request, 1, 0);
      // A signal to the agent says nothing of the process, and no storm of them hits every try.
      for (let tries = 0; found < 0 && tries < mostInterrupted && lastErrnoName() === 'EINTR'; tries += 1) {
        found = poll(request, 1, 0);
      }
      hasEnded = found !== 0;
      return !hasEnded;
    },
    close() {
      if (!isClosed) closeSync(pidfd);
      isClosed = true;
    },
  };
}

function readProcess({ pid, uid, gid }: Credentials): Omit<ProcessCaller, keyof Credentials> | undefined {
  const startTime = processStartTime(pid);
  if (startTime === undefined) return undefined;
  const { unit, slices, container, above } = parseCgroup(readOrEmpty(`/proc/${pid}/cgroup`));
  return {
    startTime,
    exe: readExe(pid) ?? withRightsOf({ uid, gid }, () => readExe(pid)),
    unit: unit !== undefined && !isGivenAway(slices) ? unit : undefined,
    container: container !== undefined && isMadeByRoot(above) ? container : undefined,
    isForeign: !(isInOwn('user', pid) && isInOwn('pid', pid)),
  };
}

/** A namespace that may not be looked at (another user's process) is told by what everybody may read of the process. */
function isInOwn(kind: 'user' | 'pid', pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`) === readlinkSync(`/proc/self/ns/${kind}`);
  } catch {
    if (kind === 'user') {
      const map = readOrEmpty(`/proc/${pid}/uid_map`);
      return map !== '' && map === readOrEmpty('/proc/self/uid_map');
    }
    // One pid for each namespace from ours down to the process's own.
    return /^NSpid:\s+\d+$/m.test(readOrEmpty(`/proc/${pid}/status`));
  }
}

function readExe(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    // EACCES: another user's process, and we may not trace it. Rules that name an exe then do not match.
    return undefined;
  }
}

/**
 * Root without CAP_SYS_PTRACE may not see a program's path, its own user may: the rights of this thread for files become
 * the caller's for one look. Real and saved ids stay, so nobody can signal or trace the agent meanwhile.
 */
function withRightsOf<T>({ uid, gid }: { uid: number; gid: number }, look: () => T): T | undefined {
  const [ownUid, ownGid] = [process.geteuid?.(), process.getegid?.()];
  if (ownUid !== 0 || ownGid === undefined || uid === 0) return undefined;
  try {
    setfsgid(gid);
  } catch {
    return undefined; // a C library without it
  }
  try {
    setfsuid(uid);
    return look();
  } finally {
    setfsuid(ownUid);
    setfsgid(ownGid);
  }
}

function readStatusIds(pid: number): { uid: number; gid: number } | undefined {
  const status = readOrEmpty(`/proc/${pid}/status`);
  // Real, effective, saved, file system: SO_PEERCRED tells the effective ones.
  const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1];
  const gid = /^Gid:\s+\d+\s+(\d+)/m.exec(status)?.[1];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // The process is gone.
    return '';
  }
}
