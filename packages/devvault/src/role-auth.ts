// An auth method whose logins name a role: its config, its roles and its login as routes.
import type { JsonObject } from '../../../src/base/text/json.ts';
import type { Backend, Call, VaultResponse } from './backend.ts';
import { createRoleCollection, type RoleCollection } from './role-collection.ts';

interface RoleAuth<Config, Role> {
  /** Where roles are listed; default `role`. */
  readonly listFolder?: string;
  /** Until one is written; undefined: there is none. */
  readonly config?: Config;
  readConfig(data: JsonObject): Config;
  describeConfig(config: Config): object;
  readRole(call: Call, name: string): Role;
  describeRole(role: Role): object;
  login(data: JsonObject, roles: RoleCollection<Role>, config: Config | undefined): Promise<VaultResponse>;
}

export function createRoleAuth<Config, Role>(method: RoleAuth<Config, Role>): Backend {
  let { config } = method;
  const roles = createRoleCollection<Role>({
    folder: 'role',
    ...(method.listFolder === undefined ? {} : { listFolder: method.listFolder }),
    read: method.readRole,
    describe: method.describeRole,
  });
  return {
    unauthenticated: ['login'],
    routes: [
      {
        pattern: 'config',
        read: () => config && { data: method.describeConfig(config) },
        update: ({ data }) => {
          config = method.readConfig(data);
          return undefined;
        },
      },
      ...roles.routes,
      { pattern: 'login', update: ({ data }) => method.login(data, roles, config) },
    ],
  };
}
