// What the agent does on a Node whose internals are other than expected: each is broken before the program is loaded.
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { tryNodeInternals } from '../../../src/server/node-internals/self-test.ts';
import { startAgent, type TestAgent } from '../../support/cli.ts';
import { testFolder } from '../../support/test-folder.ts';
import { waitFor } from '../../support/wait-for.ts';

const noHeadState = `
  import { OutgoingMessage } from 'node:http';
  const known = new WeakMap();
  Object.defineProperty(OutgoingMessage.prototype, '_headerSent', {
    get() { return known.get(this) || undefined; },
    set(value) { known.set(this, value); },
  });`;
const noListenerNames = `
  import { EventEmitter } from 'node:events';
  const { listeners } = EventEmitter.prototype;
  EventEmitter.prototype.listeners = function (event) {
    return listeners.call(this, event).map((own) => function (...args) { return own.apply(this, args); });
  };`;
const noParserListener = `
  import { EventEmitter } from 'node:events';
  import { Server } from 'node:http';
  const { listeners } = EventEmitter.prototype;
  EventEmitter.prototype.listeners = function (event) {
    return this instanceof Server ? [] : listeners.call(this, event);
  };`;
const noConnectionTimer = `
  const { getOwnPropertySymbols } = Object;
  Object.getOwnPropertySymbols = (value) =>
    getOwnPropertySymbols(value).filter(({ description }) => !description?.startsWith('http.server.'));`;
const noDescriptor = `
  import { Server } from 'node:net';
  const { emit } = Server.prototype;
  Server.prototype.emit = function (event, ...args) {
    if (event === 'listening' && this._handle) Object.defineProperty(this._handle, 'fd', { value: undefined });
    return emit.call(this, event, ...args);
  };`;

function start(t: Test, breakage: string): TestAgent {
  const folder = testFolder(t);
  return startAgent(t, {
    folder,
    vault: { address: 'http://127.0.0.1:1', rootToken: 'none' },
    config: {
      upstreams: {
        own: { kind: 'env' },
        vault: { address: 'http://127.0.0.1:1', auth: { method: 'token' } },
      },
      secrets: { word: { path: 'LATCHKEY_WORD', upstream: 'own' } },
      listeners: [{ unix: join(folder, 'latchkey.sock'), serve: ['secrets', 'vault', 'admin'] }],
    },
    env: {
      LATCHKEY_WORD: 'said',
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(breakage)}`,
    },
  });
}

async function untilListening(agent: TestAgent): Promise<void> {
  await waitFor('the agent listens', () => existsSync(agent.logPath) && agent.log().includes('"listening"'));
}

/** The whole answer to what goes over the wire as it is. */
function send(path: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    connect(path)
      .on('data', (bytes) => {
        answer += bytes.toString('latin1');
      })
      .on('error', reject)
      .on('close', () => resolve(answer))
      .end(text);
  });
}

const list = 'LIST /v1/secret/metadata/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

t.test('this Node has all that is used', async (t) => {
  const told: string[] = [];
  t.same(await tryNodeInternals((message) => told.push(message)), { canSendWire: true, canTakeList: true });
  t.same(told, []);
});

t.test('an answer goes out the usual way where the head cannot be marked as sent', async (t) => {
  const agent = start(t, noHeadState);
  await untilListening(agent);
  t.equal(agent.log().match(/an answer cannot be sent as one piece/g)?.length, 1, 'said once');
  t.notMatch(agent.log(), /parser cannot be exchanged/, 'and nothing else');
  const reply = await agent.ask('/secrets/word/value', { headers: { connection: 'keep-alive' } });
  t.same([reply.status, reply.text], [200, 'said']);
});

t.test('LIST is refused, and only LIST, where the parser cannot be exchanged', async (t) => {
  const agent = start(t, noListenerNames);
  await untilListening(agent);
  t.equal(agent.log().match(/parser cannot be exchanged; Vault's LIST is refused/g)?.length, 1, 'said once');
  t.match(await send(agent.socket, list), /^HTTP\/1\.1 400 /);
  t.equal((await agent.ask('/secrets/word/value')).status, 200);
  t.notMatch(await send(agent.socket, list.replace('LIST', 'GET')), /^HTTP\/1\.1 400 /);
});

t.test('serves and says so where the look for slow connections stays in Node’s hands', async (t) => {
  const agent = start(t, noConnectionTimer);
  await untilListening(agent);
  t.equal(agent.log().match(/look for slow connections cannot be taken/g)?.length, 1, 'said once');
  t.equal((await agent.ask('/secrets/word/value')).status, 200);
});

t.test('does not start where nothing tells who connects, or which connections get a parser', async (t) => {
  for (const [breakage, said] of [
    [noDescriptor, /listeners\[0\].*Node v\S+ lacks the descriptor of a socket/],
    [noParserListener, /listeners\[0\].*Node v\S+ lacks one listener of its HTTP server/],
  ] as const) {
    const { code, stderr } = await start(t, breakage).exited;
    t.not(code, 0);
    t.match(stderr, said);
    t.match(stderr, /use the release of Node that this agent was built for/);
  }
});
