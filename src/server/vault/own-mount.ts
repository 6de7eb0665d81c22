// The mount `latchkey/` of the Vault dialect: the agent's secrets of every kind by their names, as a KV version 2 engine that is
// only read. Clients that know nothing but Vault get what is in AWS or in a sealed file from here.

import { BoundedMap } from '../../base/bounded-map.ts';
import type { Exchange } from '../http/exchange.ts';
import { methodNotAllowed } from '../http/http-request.ts';
import { longestKeptUrl } from '../http/prepared-answer.ts';
import type { ServerContext } from '../http/server-context.ts';
import { createOwnMountAnswers, type OwnMountPart, ownAnswer } from './own-mount-answers.ts';
import type { VaultTarget } from './vault-path-policy.ts';

export interface OwnMount {
  /** A read that its URL alone tells, as one of before. False: it is to be looked at. */
  answerKnown(exchange: Exchange, url: string): boolean;
  /** False: the request is for the vault. */
  handle(exchange: Exchange, target: VaultTarget): boolean;
}

const mount = 'latchkey/';
const mostReads = 4096;
const look = `sys/internal/ui/mounts/${mount}`;
/** As a server describes it to a client that wants to know which version of KV it has before it. */
const description = {
  path: mount,
  type: 'kv',
  options: { version: '2' },
  description: 'secrets of this agent by their names',
};

export function createOwnMount(context: ServerContext): OwnMount {
  const { view, secrets, access, clock } = context;
  const answers = createOwnMountAnswers(clock);
  /** Of callers that may have what they ask for. */
  const reads = new BoundedMap<string, { readonly name: string; readonly part: OwnMountPart }>(mostReads);

  function names(exchange: Exchange): void {
    if (!exchange.permits({ kind: 'list' })) {
      exchange.deny();
      return;
    }
    const { caller } = exchange.identity;
    const keys = view.names
      .all()
      .map(({ config }) => config.name)
      .filter((name) => access.decideSecret(caller, name).isAllowed);
    if (keys.length === 0) exchange.fail('not_found', 'no secret is yours to read');
    else exchange.answerJson(200, ownAnswer({ keys: keys.sort() }));
  }

  function read(exchange: Exchange, name: string, part: OwnMountPart): void {
    if (!exchange.permitsSecret(name)) {
      exchange.deny();
      return;
    }
    const entry = view.names.find(name)?.entry;
    if (entry?.current === undefined) {
      // Why there is none, says the reader of secrets.
      const found = secrets.read({ name, field: undefined });
      if (!('body' in found)) exchange.failWith(found);
      return;
    }
    const { url = '' } = exchange.request;
    if (url.length <= longestKeptUrl && !reads.has(url)) reads.set(url, { name, part });
    const answer = answers.of(part, name, entry, entry.current);
    // That a value was handed out is noted for values alone.
    if (part === 'data') exchange.answerPrepared(answer);
    else exchange.answer(200, answer.headers, answer.stamped.body());
  }

  function describe(exchange: Exchange): void {
    if (exchange.permits({ kind: 'list' })) exchange.answerJson(200, ownAnswer(description));
    else exchange.deny();
  }

  return {
    answerKnown(exchange, url) {
      const known = exchange.method === 'GET' ? reads.get(url) : undefined;
      if (known !== undefined) read(exchange, known.name, known.part);
      return known !== undefined;
    },
    handle(exchange, target) {
      const { method } = exchange;
      if (`${target.path}/`.startsWith(look) && method === 'GET') {
        describe(exchange);
        return true;
      }
      if (!target.path.startsWith(mount)) return false;
      const [, part, name = ''] = /^(data|metadata)\/?(.*)$/s.exec(target.path.slice(mount.length)) ?? [];
      const isList = method === 'LIST' || (method === 'GET' && target.isList);
      if (method !== 'GET' && !isList) methodNotAllowed(exchange, 'GET, LIST');
      else if (part === 'metadata' && isList && name === '') names(exchange);
      else if (isPart(part) && name !== '' && !isList) read(exchange, name, part);
      else
        exchange.fail(
          'not_found',
          'expected latchkey/data/NAME, latchkey/metadata/NAME, or a list of latchkey/metadata',
        );
      return true;
    },
  };
}

function isPart(text: string | undefined): text is OwnMountPart {
  return text === 'data' || text === 'metadata';
}
