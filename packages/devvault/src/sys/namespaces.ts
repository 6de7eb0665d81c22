// sys/namespaces: namespaces below the one that asks.
import type { Call, Route } from '../backend.ts';
import type { Core } from '../core.ts';
import { textMapField } from '../fields.ts';
import type { Namespace } from '../namespace.ts';
import { badRequest, collected } from '../vault-error.ts';

export function namespaceRoutes(core: Core): Route[] {
  const pathOf = (call: Call): string =>
    `${call.namespace.path}${(call.params['path'] ?? '').replace(/^\/+|\/+$/g, '')}/`;
  return [
    {
      pattern: 'namespaces',
      list: (call) => {
        const children = core.namespaces.children(call.namespace);
        const relative = (item: Namespace): string => item.path.slice(call.namespace.path.length);
        return {
          data: {
            keys: children.map(relative).sort(),
            key_info: Object.fromEntries(children.map((item) => [relative(item), describe(item)])),
          },
        };
      },
    },
    {
      pattern: 'namespaces/*path',
      read: (call) => {
        const found = core.namespaces.get(pathOf(call));
        return found && { data: describe(found) };
      },
      update: (call) => {
        const found = core.namespaces.get(pathOf(call)) ?? create(core, call, pathOf(call));
        found.customMetadata = textMapField(call.data, 'custom_metadata') ?? found.customMetadata;
        return { data: describe(found) };
      },
      delete: async (call) => {
        const found = core.namespaces.get(pathOf(call));
        if (found === undefined) return { data: null, warnings: ['requested namespace does not exist'] };
        if (core.namespaces.children(found).length > 0)
          throw collected(400, `cannot delete namespace "${found.path}" containing child namespaces`);
        for (const mount of [...found.mounts.values(), ...found.auths.values()])
          await core.unmount(found, mount);
        core.namespaces.delete(found.path);
        return { status: 202, data: { status: 'in-progress' } };
      },
    },
  ];
}

function create(core: Core, call: Call, path: string): Namespace {
  const name = path.slice(call.namespace.path.length, -1);
  if (
    name.includes('/') ||
    name.trim() === '' ||
    ['root', 'sys', 'audit', 'auth', 'cubbyhole', 'identity'].includes(name)
  ) {
    throw badRequest(`"${name}" cannot be the name of a namespace`);
  }
  return core.addNamespace(path, {});
}

function describe(namespace: Namespace): object {
  return {
    id: namespace.id,
    uuid: namespace.uuid,
    path: namespace.path,
    custom_metadata: namespace.customMetadata,
    locked: false,
    tainted: false,
  };
}
