// Peers on Linux: SO_PEERCRED, SO_PEERPIDFD, SO_PEERGROUPS and /proc, against the reuse of pids.
import { closeSync, readFileSync, readlinkSync } from 'node:fs';
import { getpeername, getsockopt, lastErrno, lastErrnoName } from '../base/libc.ts';
import { processStartTime } from '../base/process-identity.ts';
import { type Caller, type ProcessCaller, unknownCaller } from './caller.ts';
import { parseCgroup } from './cgroup.ts';
import type { PeerReader } from './peer.ts';

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

  return {
    identify(fd) {
      const credentials = Buffer.alloc(12);
      if (option(fd, soPeerCred, credentials) === undefined) {
        return unknownCaller(`the kernel does not tell the peer (${lastErrnoName()})`);
      }
      const pid = credentials.readInt32LE(0);
      const uid = credentials.readUInt32LE(4);
      const gid = credentials.readUInt32LE(8);
      if (uid === noUid) return unknownCaller('the kernel does not know the peer');
      const groups = groupsOf(fd) ?? [];
      const identity = { kind: 'process' as const, uid, gid, groups, pid };
      if (pid <= 0) return { ...identity, pid: 0, ...nothingMore };
      const pidfd = Buffer.alloc(4);
      if (option(fd, soPeerPidfd, pidfd) !== undefined) return heldByPidfd(identity, pidfd.readInt32LE(0));
      // Kernels before 6.5 have no SO_PEERPIDFD; any other failure means that the process is gone.
      return lastErrno() === enoprotoopt ? heldByStartTime(identity) : unknownCaller(ended);
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
const nothingMore = { startTime: undefined, exe: undefined, unit: undefined, container: undefined };

type Credentials = Pick<ProcessCaller, 'kind' | 'uid' | 'gid' | 'groups' | 'pid'>;

/** Reads /proc between two looks at a pidfd: if that still names the pid afterwards, what was read is of this process. */
function heldByPidfd(identity: Credentials, pidfd: number): Caller {
  try {
    const details = readProcess(identity.pid);
    const info = readFileSync(`/proc/self/fdinfo/${pidfd}`, 'latin1');
    const isAlive = Number(/^Pid:\s*(-?\d+)$/m.exec(info)?.[1]) === identity.pid;
    if (!isAlive) return unknownCaller(ended);
    // Alive and yet not in /proc: mounted with hidepid. The ids come from the kernel and stay true.
    return { ...identity, ...(details ?? nothingMore) };
  } catch {
    return unknownCaller('the process cannot be looked up in /proc');
  } finally {
    closeSync(pidfd);
  }
}

/** Without a pidfd: the start time before and after must be one, and the process must still have the peer's uid and gid. */
function heldByStartTime(identity: Credentials): Caller {
  const before = processStartTime(identity.pid);
  const details = readProcess(identity.pid);
  const ids = readStatusIds(identity.pid);
  if (before === undefined || details === undefined || details.startTime !== before)
    return unknownCaller(ended);
  if (ids?.uid !== identity.uid || ids.gid !== identity.gid) return unknownCaller(ended);
  return { ...identity, ...details };
}

function readProcess(pid: number): Omit<ProcessCaller, keyof Credentials> | undefined {
  const startTime = processStartTime(pid);
  if (startTime === undefined) return undefined;
  return { startTime, exe: readExe(pid), ...parseCgroup(readOrEmpty(`/proc/${pid}/cgroup`)) };
}

function readExe(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    // EACCES: another user's process and we are not root. Rules that name an exe then do not match.
    return undefined;
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
