// Listeners that are open to whoever reaches them: for the API of the vault and for metrics, and for nothing that has a name here.
import t from 'tap';
import { compilePolicy, decide } from '../../src/access/access-policy.ts';
import { openCaller } from '../../src/access/caller.ts';
import { loadConfigText } from '../../src/config/load.ts';

const upstream = 'upstreams: { v: { address: "http://a:1" } }\n';
const load = (listener: string) =>
  loadConfigText('/x.yaml', `${upstream}listeners: [${listener}]`, { env: {}, checks: 'text' });

t.test('serve vault and metrics without a token', async (t) => {
  t.match(load('{ tcp: "127.0.0.1:0", open: true, serve: [vault, metrics] }').listeners, [
    { isOpen: true, tokenFile: undefined },
  ]);
  t.throws(() => load('{ tcp: "127.0.0.1:0", open: true, serve: [secrets] }'), {
    message: /an open listener serves vault and metrics alone, got secrets/,
  });
  t.throws(() => load('{ tcp: "127.0.0.1:0", open: true, serve: [vault], token_file: t }'), {
    message: /asks for no token/,
  });
  t.throws(() => load('{ tcp: "0.0.0.0:0", open: true, serve: [vault] }'), {
    message: /0\.0\.0\.0 is not loopback/,
  });
  t.throws(() => load('{ tcp: "127.0.0.1:0", serve: [vault] }'), { message: /missing token_file/ });
});

t.test('give no secret by its name, whatever the rules say', async (t) => {
  const rules = [{ name: 'all', client: { uid: 0 }, allow: ['*'], vault: [], admin: true }];
  for (const strict of [false, true]) {
    const policy = compilePolicy({ rules, strict }, { uidOf: () => undefined, gidOf: () => undefined }, 0);
    const caller = openCaller('listeners[0]');
    t.equal(
      decide(policy, caller, { kind: 'vault', method: 'GET', path: 'secret/data/app' }).isAllowed,
      true,
    );
    t.equal(decide(policy, caller, { kind: 'secret', name: 'app' }).isAllowed, false);
  }
});
