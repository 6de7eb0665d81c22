// The usual paths of an auth method's named roles (or users, or certificates): list, read, write, delete.
import type { Call, Route } from './backend.ts';

export interface RoleCollection<Role> {
  /** By name in lower case. */
  readonly roles: Map<string, Role>;
  readonly routes: Route[];
  /** Names are the same in upper and lower case. */
  find(name: string): Role | undefined;
}

export interface RoleShape<Role> {
  /** The folder below the mount, such as `role` or `users`. */
  folder: string;
  /** Lists at another folder too: Vault's older methods have `role` and `roles`. */
  listFolder?: string;
  read(call: Call, name: string, before: Role | undefined): Role;
  describe(role: Role): object;
  /** Shows the role in the answer to a write too. */
  isShownWhenWritten?: boolean;
}

export function createRoleCollection<Role>(shape: RoleShape<Role>): RoleCollection<Role> {
  const roles = new Map<string, Role>();
  const nameOf = (call: Call): string => (call.params['name'] ?? '').toLowerCase();
  const find = (name: string): Role | undefined => roles.get(name.toLowerCase());
  const list = () => ({ data: { keys: [...roles.keys()].sort() } });
  return {
    roles,
    find,
    routes: [
      { pattern: shape.folder, list },
      ...(shape.listFolder === undefined ? [] : [{ pattern: shape.listFolder, list }]),
      {
        pattern: `${shape.folder}/:name`,
        exists: (call) => roles.has(nameOf(call)),
        read: (call) => {
          const role = roles.get(nameOf(call));
          return role && { data: shape.describe(role) };
        },
        update: (call) => {
          const role = shape.read(call, nameOf(call), roles.get(nameOf(call)));
          roles.set(nameOf(call), role);
          return shape.isShownWhenWritten ? { data: shape.describe(role) } : undefined;
        },
        delete: (call) => void roles.delete(nameOf(call)),
      },
    ],
  };
}
