// Userpass: users with a password each. LDAP here is the same with other paths: it checks the users that it was given.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Backend, Call, VaultResponse } from '../backend.ts';
import { hasField, listField, textField } from '../fields.ts';
import { createRoleCollection, type RoleCollection } from '../role-collection.ts';
import { badRequest, collected, VaultError } from '../vault-error.ts';
import { describeTokenParams, grantOf, readTokenParams, type TokenParams } from './token-params.ts';

interface User {
  readonly name: string;
  readonly passwordHash: Buffer | undefined;
  readonly groups: readonly string[];
  readonly token: TokenParams;
}

export function createUserpass(): Backend {
  const users = createUsers((call, before) => {
    if (before === undefined && !hasField(call.data, 'password'))
      throw badRequest('must provide either password or password_hash');
  });
  const change = (call: Call, field: (user: User) => Partial<User>): undefined => {
    const user = users.find(call.params['name'] ?? '');
    if (user === undefined) throw collected(500, 'username does not exist');
    users.roles.set(user.name, { ...user, ...field(user) });
  };
  return {
    unauthenticated: ['login/*'],
    routes: [
      ...users.routes,
      {
        pattern: 'users/:name/password',
        update: (call) => change(call, () => ({ passwordHash: hash(requirePassword(call)) })),
      },
      {
        pattern: 'users/:name/policies',
        update: (call) => change(call, (user) => ({ token: readTokenParams(call.data, user.token) })),
      },
      { pattern: 'login/:name', update: (call) => login(users, call, 'invalid username or password') },
    ],
  };
}

/**
 * No directory behind it: `users/NAME` takes a `password` (a field of this server alone), `groups/NAME` has policies.
 * Login and its answers are those of Vault's method.
 */
export function createLdap(): Backend {
  const users = createUsers(() => {});
  const groups = createRoleCollection<TokenParams>({
    folder: 'groups',
    read: ({ data }, _name, before) => readTokenParams(data, before),
    describe: (token) => ({ policies: token.policies }),
  });
  let config: object = {};
  return {
    unauthenticated: ['login/*'],
    routes: [
      {
        pattern: 'config',
        read: () => ({ data: config }),
        update: ({ data }) => {
          config = { ...data, bindpass: undefined };
          return undefined;
        },
      },
      ...users.routes,
      ...groups.routes,
      {
        pattern: 'login/:name',
        update: (call) => {
          const response = login(users, call, 'ldap operation failed: failed to bind as user');
          const user = users.find(call.params['name'] ?? '');
          const extra = (user?.groups ?? []).flatMap((group) => groups.roles.get(group)?.policies ?? []);
          return response.auth === undefined
            ? response
            : { auth: { ...response.auth, policies: [...response.auth.policies, ...extra] } };
        },
      },
    ],
  };
}

function createUsers(check: (call: Call, before: User | undefined) => void) {
  return createRoleCollection<User>({
    folder: 'users',
    read: (call, name, before) => {
      check(call, before);
      return {
        name,
        passwordHash: hasField(call.data, 'password')
          ? hash(textField(call.data, 'password'))
          : before?.passwordHash,
        groups: listField(call.data, 'groups', before?.groups),
        token: readTokenParams(call.data, before?.token),
      };
    },
    describe: (user) => describeTokenParams(user.token),
  });
}

function login(users: RoleCollection<User>, call: Call, refusal: string): VaultResponse {
  const password = requirePassword(call);
  const user = users.find(call.params['name'] ?? '');
  if (user?.passwordHash === undefined || !timingSafeEqual(user.passwordHash, hash(password)))
    throw badRequest(refusal);
  return {
    auth: grantOf(user.token, {
      displayName: user.name,
      alias: user.name,
      metadata: { username: user.name },
    }),
  };
}

function requirePassword(call: Call): string {
  const password = textField(call.data, 'password');
  if (password === '') throw new VaultError(500, ['missing password']);
  return password;
}

function hash(password: string): Buffer {
  return createHash('sha256').update(password).digest();
}
