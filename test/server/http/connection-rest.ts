// Clients that asked once and stay are kept without a parser, answered when they ask again, and ended with their listener.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t from 'tap';
import { createFakeClock } from '../../support/fake-clock.ts';
import { startServing } from '../../support/serving.ts';
import { waitFor } from '../../support/wait-for.ts';

const clients = 5;

t.test('a client that asks nothing for half a minute is kept without a parser', async (t) => {
  const clock = createFakeClock();
  const accepted: (Socket & { parser?: object | null })[] = [];
  const note = (message: unknown): void => {
    accepted.push((message as { socket: Socket }).socket);
  };
  subscribe('net.server.socket', note);
  const serving = await startServing({ clock });
  t.teardown(() => unsubscribe('net.server.socket', note));
  serving.put('word', { value: 'said' });
  const timers = clock.pending;
  const kept = Array.from({ length: clients }, () => connect(serving.socketPath));
  const ask = async (client: Socket | undefined): Promise<void> => {
    client?.write('GET /secrets/word/value HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const [answer] = (await once(client as Socket, 'data')) as [Buffer];
    t.match(answer.toString('latin1'), /^HTTP\/1\.1 200 OK\r\n(?:.|\r|\n)*said$/);
  };
  const resting = (): number => accepted.filter(({ parser }) => parser === null).length;
  await Promise.all(kept.map(ask));
  await clock.advance(15_000);
  t.equal(resting(), 0, 'not yet');
  await ask(kept[0]);
  await clock.advance(15_000);
  await waitFor('all but the one that asked again rest', () => resting() === clients - 1);
  await clock.advance(30_000);
  await waitFor('that one too', () => resting() === clients);
  t.equal(clock.pending, timers, 'nothing wakes it');
  await ask(kept[1]);
  t.equal(resting(), clients - 1);
  await clock.advance(30_000);
  await waitFor('again', () => resting() === clients);
  const closed = kept.map((client) => once(client, 'close'));
  const over = serving.close();
  await Promise.all(closed);
  await clock.advance(500);
  await over;
});
