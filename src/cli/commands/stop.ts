// `latchkey stop`: ends the agent in order; with --revoke for good, with nothing left that it was issued.
import { setTimeout as delay } from 'node:timers/promises';
import { pathOf, routes } from '../../api/routes.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { processStartTime } from '../../base/system/process-identity.ts';
import { askAgent } from '../../client/local-client.ts';
import { createTypedClient } from '../../client/typed-client.ts';
import { type SocketOptions, socketPathOf } from '../config-socket.ts';
import { say } from '../output.ts';

interface StopOptions extends SocketOptions {
  revoke: boolean;
}

const lookEveryMs = 100;
const longestMs = 120_000;

/** 0: it has ended; 1: it has not within two minutes. */
export async function runStop(options: StopOptions): Promise<number> {
  const socketPath = await socketPathOf(options);
  if (!options.revoke) await warnOfLostLogins(socketPath);
  const { pid, lives_on: livesOn = [] } = await createTypedClient(socketPath).stop({
    revoke: options.revoke,
  });
  // Undefined where it has ended already, or this command sees other processes than it does: then its socket tells alone.
  const startedAt = processStartTime(pid);
  const isThere = () => startedAt !== undefined && processStartTime(pid) === startedAt;
  const end = performance.now() + longestMs;
  while (isThere() || (await answers(socketPath))) {
    if (performance.now() > end) {
      throw new LatchkeyError('timeout', `the agent with pid ${pid} was told to stop and is still there`);
    }
    await delay(lookEveryMs);
  }
  for (const { name, why } of livesOn) say(`${name}: not revoked, it lives to its own end: ${why}`);
  // It revokes when nobody can ask it any more, after its processes have ended.
  const what = `what it was issued ${livesOn.length === 0 ? '' : 'beside that '}is revoked, if its log names none that it could not revoke`;
  say(`stopped: the agent with pid ${pid}${options.revoke ? `; ${what}` : ''}`);
  return 0;
}

/** Before anything has ended: the operator may still think of a credential for the next start. */
async function warnOfLostLogins(socketPath: string): Promise<void> {
  const { upstreams } = await createTypedClient(socketPath).status();
  for (const { name, login } of upstreams) {
    if (login?.lost_at_stop !== true) continue;
    say(
      `warning: the next start cannot log in to ${name} with what was used up: give it a new credential before`,
    );
  }
}

async function answers(socketPath: string): Promise<boolean> {
  try {
    await askAgent({ socketPath, path: pathOf(routes.alive) });
    return true;
  } catch {
    return false; // nobody listens any more: that is what was asked for
  }
}
