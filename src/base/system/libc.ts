// Calls of the C library that Node does not have: the only file that loads koffi, with the first of them that is used.
// Each returns what the C function returns; after a failure `lastErrno()` tells why.
import { closeSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import type koffi from 'koffi';

type Koffi = typeof koffi;
type Argument = number | string | Buffer | number[] | null;

const load = createRequire(import.meta.url);
let loaded: { readonly koffi: Koffi; readonly library: ReturnType<Koffi['load']> } | undefined;

function libc(): NonNullable<typeof loaded> {
  if (loaded === undefined) {
    const library = loadKoffi();
    loaded = { koffi: library, library: library.load(null) };
  }
  return loaded;
}

/** Another library with what is needed to call it. Throws where the system has none of that name. */
export function loadLibrary(name: string): {
  readonly koffi: Koffi;
  readonly library: ReturnType<Koffi['load']>;
} {
  const { koffi: loader } = libc();
  return { koffi: loader, library: loader.load(name) };
}

/**
 * The binary itself where it is the plain case: koffi's own way to it looks at the platform in 10 KB of JavaScript, which
 * costs a short command as much as all the rest of it.
 */
function loadKoffi(): Koffi {
  const { platform, arch } = process;
  try {
    if (isMusl()) return load('koffi') as Koffi;
    const native = load(`@koromix/koffi-${platform}-${arch}/${platform}_${arch}/koffi.node`) as Koffi;
    if (typeof native.load === 'function') return native;
  } catch {
    // Another platform, or another layout of node_modules: koffi knows them all.
  }
  return load('koffi') as Koffi;
}

/** The loader's name stands in the first page of a program; a binary for another C library may load and then crash. */
function isMusl(): boolean {
  const page = Buffer.alloc(4096);
  const file = openSync(process.execPath, 'r');
  try {
    return page.toString('latin1', 0, readSync(file, page)).includes('ld-musl-');
  } finally {
    closeSync(file);
  }
}

/** Bound at the first call; throws then where the C library has no such function. */
function bind<const A extends readonly Argument[]>(declaration: string): (...args: A) => number {
  let call: ((...args: A) => number) | undefined;
  return (...args) => {
    call ??= libc().library.func(declaration) as unknown as (...args: A) => number;
    return call(...args);
  };
}

/** Of the last call of this file that failed; numbers as in errno(3) of Linux. */
export function lastErrno(): number {
  return libc().koffi.errno();
}

/** The name of `lastErrno()`, as Node's errors have it: `ENOENT`. */
export function lastErrnoName(): string {
  const { koffi: library } = libc();
  const number = library.errno();
  const names: Readonly<Record<string, number>> = library.os.errno;
  return Object.keys(names).find((name) => names[name] === number) ?? `errno ${number}`;
}

export const socket = bind<[domain: number, type: number, protocol: number]>('int socket(int, int, int)');
export const connect = bind<[fd: number, address: Buffer, addressLength: number]>(
  'int connect(int, const void *, uint)',
);
export const sendto = bind<
  [fd: number, message: Buffer, length: number, flags: number, address: Buffer, addressLength: number]
>('long sendto(int, const void *, size_t, int, const void *, uint)');
let sendmsg: ((fd: number, message: object, flags: number) => number) | undefined;
const [solSocket, scmRights] = [1, 1];
/** CMSG_LEN of one descriptor: the header of 16 bytes, and 4. */
const rightsLength = 20n;

/** A message without bytes, which carries this descriptor (unix(7), SCM_RIGHTS). For 64-bit systems. */
export function sendDescriptor(fd: number, carried: number, flags: number, address: Buffer): number {
  if (sendmsg === undefined) {
    const { koffi: types, library } = libc();
    types.struct('msghdr', {
      ...{ name: 'void *', nameLength: 'uint32_t', vector: 'void *', vectorLength: 'size_t' },
      ...{ control: 'void *', controlLength: 'size_t', flags: 'int' },
    });
    sendmsg = library.func('long sendmsg(int, const msghdr *, int)');
  }
  const control = new BigUint64Array(3);
  control[0] = rightsLength;
  new Int32Array(control.buffer).set([solSocket, scmRights, carried], 2);
  const message = {
    ...{ name: address, nameLength: address.length, vector: null, vectorLength: 0 },
    ...{ control, controlLength: control.byteLength, flags: 0 },
  };
  return sendmsg(fd, message, flags);
}

/** `length` holds the room, and afterwards what was filled. */
export const getsockopt = bind<[fd: number, level: number, name: number, value: Buffer, length: number[]]>(
  'int getsockopt(int, int, int, void *, _Inout_ uint32_t *)',
);
export const getpeername = bind<[fd: number, address: Buffer, length: number[]]>(
  'int getpeername(int, void *, _Inout_ uint32_t *)',
);
/** The last argument is passed as the kernel's commands with a number take it. */
export const fcntl = bind<[fd: number, command: number, value: number]>('int fcntl(int, int, int)');
const fcntlLock = bind<[fd: number, command: number, flock: Buffer]>('int fcntl(int, int, void *)');
const [getLock, setLock] = [5, 6];
const [writeLock, unlock] = [1, 2];

/** One byte of a file, for this process (fcntl_locking(2)): 0 when that is done, else the pid that has it, -1 when unknown. */
export function lockRange(fd: number, operation: 'lock' | 'unlock', offset: bigint): number {
  // struct flock: type, whence, padding, start, length, pid.
  const record = Buffer.alloc(32);
  record.writeInt16LE(operation === 'lock' ? writeLock : unlock, 0);
  record.writeBigInt64LE(offset, 8);
  record.writeBigInt64LE(1n, 16);
  if (fcntlLock(fd, setLock, record) === 0) return 0;
  if (fcntlLock(fd, getLock, record) !== 0) return -1;
  return record.readInt16LE(0) === unlock ? -1 : record.readInt32LE(24);
}

/** Operations: `lockExclusive`, `lockNonBlocking`. */
export const flock = bind<[fd: number, operation: number]>('int flock(int, int)');
export const lockExclusive = 2;
export const lockNonBlocking = 4;

/** Where a symbolic link leads that is held by a descriptor (O_PATH | O_NOFOLLOW): `path` is empty then. */
export const readlinkat = bind<[fd: number, path: string, buffer: Buffer, size: number]>(
  'long readlinkat(int, const char *, void *, size_t)',
);
/** The size of the attribute with an empty buffer. */
const getxattr = bind<[path: string, name: string, value: Buffer, size: number]>(
  'long getxattr(const char *, const char *, void *, size_t)',
);
/** `request` says what the last argument is. */
export const ioctlNumber = bind<[fd: number, request: number, value: number]>('int ioctl(int, ulong, long)');
export const ioctlBuffer = bind<[fd: number, request: number, value: Buffer]>(
  'int ioctl(int, ulong, void *)',
);

/** A file in memory alone, which this process and what inherits the descriptor can open; glibc 2.27. */
export const memfdCreate = bind<[name: string, flags: number]>(
  'int memfd_create(const char *, unsigned int)',
);

/** `time`: a struct timespec, two 64-bit numbers. */
export const clockGettime = bind<[clock: number, time: Buffer]>('int clock_gettime(int, void *)');

export const mkfifo = bind<[path: string, mode: number]>('int mkfifo(const char *, unsigned int)');

export const prctl = bind<[option: number, a: number, b: number, c: number, d: number]>(
  'int prctl(int, ulong, ulong, ulong, ulong)',
);
/** `limit`: two 64-bit numbers, soft and hard. */
export const setrlimit = bind<[resource: number, limit: Buffer]>('int setrlimit(int, const void *)');
/** `set`: 128 bytes, a bit for each signal but 0. */
export const pthreadSigmask = bind<[how: number, set: Buffer, old: null]>(
  'int pthread_sigmask(int, const void *, void *)',
);
/** `requests` as poll(2) has them, 8 bytes each; `timeoutMs` 0 does not wait. */
export const poll = bind<[requests: Buffer, count: number, timeoutMs: number]>(
  'int poll(void *, ulong, int)',
);
export const waitpid = bind<[pid: number, status: null, options: number]>('int waitpid(int, void *, int)');
/** Of this thread alone, by which the kernel judges what files it may look at; both return what was before. */
export const setfsuid = bind<[uid: number]>('int setfsuid(unsigned int)');
export const setfsgid = bind<[gid: number]>('int setfsgid(unsigned int)');
export const madvise = bind<[address: number, length: number, advice: number]>(
  'int madvise(ulong, ulong, int)',
);
/** glibc only. */
export const mallocTrim = bind<[keptBytes: number]>('int malloc_trim(size_t)');

const systemCall = bind<[number: number, a: number, b: number, c: number, d: number]>(
  'long syscall(long, long, long, long, long)',
);
// The numbers that all architectures share, since Linux 5.1 (asm-generic/unistd.h); glibc has names for them since 2.36.
const pidfdSendSignalNumber = 424;
const pidfdOpenNumber = 434;
const closeRangeNumber = 436;
const closeRangeCloexec = 4;

/** A descriptor that stays with this process when its number is given to another one; close-on-exec. Linux 5.3. */
export function pidfdOpen(pid: number): number {
  return systemCall(pidfdOpenNumber, pid, 0, 0, 0);
}

export function pidfdSendSignal(pidfd: number, signal: number): number {
  return systemCall(pidfdSendSignalNumber, pidfd, signal, 0, 0);
}

/** Programs that are started from now on get none of the descriptors that are open, from this one on. Linux 5.11. */
export function closeOnExecute(first: number): number {
  return systemCall(closeRangeNumber, first, 0x7fff_ffff, closeRangeCloexec, 0);
}

const nothing = Buffer.alloc(0);

/** Whether a file has an access list (acl(5)): stat(2) shows its users as rights of the group, and tells only their mask. */
export function hasAccessList(path: string): boolean {
  return getxattr(path, 'system.posix_acl_access', nothing, 0) > 0;
}
