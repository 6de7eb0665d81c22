// The inner process of the test of socket activation: takes over the socket named `api`, asks itself, reports.
import { execFileSync } from 'node:child_process';
import { ask, startServing } from './serving.ts';

const serving = await startServing({
  listeners: () =>
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
    })),
});
serving.put('stripe', { key: 'sk_1' });
const [api] = serving.server.status();
const { status } = await ask('/secrets/stripe', { socketPath: `\0${process.argv[2]}` });
const problem = /expected a socket named other/.test(serving.problems[0]?.message ?? '')
  ? 'no socket named other'
  : '?';
const environment = Object.keys(process.env).some((name) => name.startsWith('LISTEN_')) ? 'dirty' : 'clean';
const fds = execFileSync('/bin/ls', ['/proc/self/fd'], { encoding: 'utf8' }).split('\n');
const leak =
  fds.includes('3') &&
  execFileSync('/bin/readlink', ['-f', '/proc/self/fd/3'], { encoding: 'utf8' }).includes('socket');
process.stdout.write(
  `${status} ${api?.state}; ${problem}; environment ${environment}; ${leak ? 'leaked' : 'closed on exec'}\n`,
);
await serving.close();
process.exit(0);
