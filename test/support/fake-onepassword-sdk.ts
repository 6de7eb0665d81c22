// A package of the name of 1Password's library in a folder of the test, over items that the test changes.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { testFolder } from './test-folder.ts';

export interface FakeItem {
  readonly id: string;
  readonly title: string;
  version: number;
  readonly fields: Map<string, string>;
}

export interface FakeAccount {
  /** Where `sdk_path` points. */
  readonly folder: string;
  /** By title, in the vault `Apps`. */
  readonly items: Map<string, FakeItem>;
  token: string;
  /** Thrown by every request from now on. */
  failure: { name: string; message: string } | undefined;
  /** Called with each request and the reads that it counts as; may throw. */
  onRead: (count: number) => void;
  readonly logins: string[];
}

const shim = `
class RateLimitExceededError extends Error {}
class AuthExpiredError extends Error {}
const errors = { RateLimitExceededError, AuthExpiredError, Error };
export const createClient = (options) => globalThis[Symbol.for('latchkey.test.onepassword')].get(import.meta.filename)(options, errors);
`;

type Errors = Readonly<Record<string, new (message: string) => Error>>;
type CreateClient = (options: { auth: string }, errors: Errors) => unknown;

export function startFakeAccount(t: Test): FakeAccount {
  const folder = testFolder(t);
  const place = join(folder, 'node_modules/@1password/sdk');
  mkdirSync(place, { recursive: true });
  writeFileSync(
    join(place, 'package.json'),
    JSON.stringify({ name: '@1password/sdk', version: '0.0.0', type: 'module', exports: './index.js' }),
  );
  writeFileSync(join(place, 'index.js'), shim);
  const account: FakeAccount = {
    folder,
    items: new Map(),
    token: 'canary-5f1d-account',
    failure: undefined,
    onRead: () => undefined,
    logins: [],
  };
  const key = Symbol.for('latchkey.test.onepassword');
  const world = globalThis as unknown as Record<symbol, Map<string, CreateClient> | undefined>;
  const clients = world[key] ?? new Map<string, CreateClient>();
  world[key] = clients;
  clients.set(join(place, 'index.js'), (options, errors) => createClient(account, options, errors));
  return account;
}

async function createClient(account: FakeAccount, { auth }: { auth: string }, errors: Errors) {
  const fail = (name: string, message: string): never => {
    throw new (errors[name] ?? Error)(message);
  };
  account.logins.push(auth);
  if (auth !== account.token) fail('Error', 'invalid service account token, canary-5f1d');
  const begin = (count: number): void => {
    account.onRead(count);
    if (account.failure !== undefined) fail(account.failure.name, account.failure.message);
    if (auth !== account.token) fail('AuthExpiredError', 'canary-5f1d');
  };
  const resolve = (reference: string) => {
    const [, vault, title = '', ...rest] =
      /^op:\/\/([^/]+)\/([^/]+)(?:\/[^/]+)?\/([^/?]+)/.exec(reference) ?? [];
    if (vault !== 'Apps') return { error: { type: 'vaultNotFound' } };
    const item = account.items.get(title);
    if (item === undefined) return { error: { type: 'itemNotFound' } };
    const secret = item.fields.get(rest[0] ?? '');
    if (secret === undefined) return { error: { type: 'fieldNotFound' } };
    return { content: { secret, itemId: item.id, vaultId: 'vault-1' } };
  };
  return {
    secrets: {
      async resolveAll(references: string[]) {
        begin(references.length);
        return { individualResponses: Object.fromEntries(references.map((one) => [one, resolve(one)])) };
      },
    },
    vaults: {
      async list() {
        begin(1);
        return [{ id: 'vault-1', title: 'Apps' }];
      },
    },
    items: {
      async list() {
        begin(1);
        return [...account.items.values()].map(({ id, title }) => ({ id, title }));
      },
      async get(_vaultId: string, itemId: string) {
        begin(1);
        const item = [...account.items.values()].find(({ id }) => id === itemId);
        if (item === undefined) return fail('Error', 'item not found');
        const fields = [...item.fields].map(([title, value]) => ({ id: title, title, value, sectionId: '' }));
        return { version: item.version, sections: [], fields };
      },
    },
  };
}
