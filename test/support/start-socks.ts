// A SOCKS proxy (RFC 1928, with the login of RFC 1929) on loopback.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Test } from 'tap';

export interface TestSocks {
  readonly address: string;
  /** What it was asked for: `127.0.0.1:8200`. */
  readonly asked: string[];
}

/** With `login` it wants a name and a password; `reply` is what it answers to all who want a way, in place of going it. */
export async function startSocks(
  t: Test,
  { login, reply }: { login?: { name: string; password: string }; reply?: number } = {},
): Promise<TestSocks> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const serve = async (socket: Socket): Promise<void> => {
    let rest = Buffer.alloc(0);
    const take = async (count: number): Promise<Buffer> => {
      while (rest.length < count) {
        const chunk = socket.read() as Buffer | null;
        if (chunk !== null) rest = Buffer.concat([rest, chunk]);
        else await new Promise((resolve) => socket.once('readable', resolve));
      }
      const taken = rest.subarray(0, count);
      rest = rest.subarray(count);
      return taken;
    };
    const text = async (): Promise<string> => (await take((await take(1))[0] ?? 0)).toString('utf8');
    const [, methods = 0] = await take(2);
    await take(methods);
    socket.write(Buffer.from([5, login === undefined ? 0 : 2]));
    if (login !== undefined) {
      await take(1);
      const isRight = (await text()) === login.name && (await text()) === login.password;
      socket.write(Buffer.from([1, isRight ? 0 : 1]));
      if (!isRight) return void socket.end();
    }
    const [, , , kind] = await take(4);
    const host = kind === 3 ? await text() : [...(await take(4))].join('.');
    const port = (await take(2)).readUInt16BE();
    asked.push(`${host}:${port}`);
    if (reply !== undefined) return void socket.end(Buffer.from([5, reply, 0, 1, 0, 0, 0, 0, 0, 0]));
    const behind = connect(port, host === 'vault.example' ? '127.0.0.1' : host, () => {
      socket.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
      behind.write(rest);
      socket.pipe(behind).pipe(socket);
    });
    behind.on('error', () => socket.destroy());
    behind.once('close', () => socket.destroy());
    socket.once('close', () => behind.destroy());
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    void serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { address: `socks5://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}
