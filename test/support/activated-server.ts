// The inner process of the test of socket activation: takes over the socket named `api`, asks itself, reports.
import { execFileSync } from 'node:child_process';
import { connect } from 'node:net';
import type { ListenerConfig } from '../../src/config/resolved.ts';
import { ask, startServing } from './serving.ts';

const listeners = (): ListenerConfig[] =>
  ['api', 'other'].map((name, index) => ({
    kind: 'systemd',
    name,
    place: `listeners[${index}]`,
    serve: ['secrets'],
    maxConnections: 100,
    requireRequestHeader: false,
    enableQuit: false,
    isOpen: false,
    useAutoAuthToken: 'fallback',
  }));
const serving = await startServing({ listeners });
serving.put('stripe', { key: 'sk_1' });
const [api] = serving.server.status();
const { status } = await ask('/secrets/stripe', { socketPath: `\0${process.argv[2]}` });
const problem = /expected a socket named other/.test(serving.problems[0]?.message ?? '')
  ? 'no socket named other'
  : '?';
// Taken away by a reload, with a connection that stays open, and brought back by another.
const [listener] = listeners();
const lasting = connect(`\0${process.argv[2]}`);
await new Promise((resolve) => lasting.once('connect', resolve));
await (await serving.server.prepare([])).commit();
await (await serving.server.prepare(listener === undefined ? [] : [listener])).commit();
const again = await ask('/secrets/stripe', { socketPath: `\0${process.argv[2]}` });
lasting.destroy();
const environment = Object.keys(process.env).some((name) => name.startsWith('LISTEN_')) ? 'dirty' : 'clean';
const fds = execFileSync('/bin/ls', ['/proc/self/fd'], { encoding: 'utf8' }).split('\n');
const leak =
  fds.includes('3') &&
  execFileSync('/bin/readlink', ['-f', '/proc/self/fd/3'], { encoding: 'utf8' }).includes('socket');
process.stdout.write(
  `${status} ${again.status} ${api?.state}; ${problem}; environment ${environment}; ${leak ? 'leaked' : 'closed on exec'}\n`,
);
await serving.close();
process.exit(0);
