// Asks for a credential exactly as systemd does: binds its end to `\0RANDOM/unit/UNIT/ID`, connects, shuts its writing
// side at once, reads to the end.
import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import koffi from 'koffi';

type Call = (...values: unknown[]) => number;

const libc = koffi.load(null);
const socket = libc.func('int socket(int domain, int type, int protocol)') as Call;
const bind = libc.func('int bind(int fd, void *address, uint32_t length)') as Call;
const connect = libc.func('int connect(int fd, void *address, uint32_t length)') as Call;
const shutdown = libc.func('int shutdown(int fd, int how)') as Call;

const [afUnix, sockStream, sockCloexec, shutWr] = [1, 1, 0o2000000, 1];

/** What systemd would have taken in; it refuses more than 1 MiB. */
export async function loadCredential(path: string, unit: string, id: string): Promise<Buffer> {
  return readFrom(path, `\0${randomBytes(8).toString('hex')}/unit/${unit}/${id}`);
}

/** From any address of the client's choice; undefined: an unnamed one, as of ordinary clients. */
export async function readFrom(path: string, address: string | undefined): Promise<Buffer> {
  const fd = socket(afUnix, sockStream | sockCloexec, 0);
  if (address !== undefined) check(bind(fd, ...sockaddr(address)), 'bind');
  check(connect(fd, ...sockaddr(`${path}\0`)), 'connect');
  check(shutdown(fd, shutWr), 'shutdown');
  const chunks: Buffer[] = [];
  for await (const chunk of new Socket({ fd, readable: true, writable: false })) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function sockaddr(address: string): [Buffer, number] {
  const bytes = Buffer.concat([Buffer.from([afUnix, 0]), Buffer.from(address, 'utf8')]);
  return [bytes, bytes.length];
}

function check(result: number, what: string): void {
  if (result !== 0) throw new Error(`${what}: errno ${koffi.errno()}`);
}
