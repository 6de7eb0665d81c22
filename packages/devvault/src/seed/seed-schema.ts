// The shape of a seed file; docs/reference/dev-vault.md documents it. Bodies of roles are the API's own and pass as they are.
import * as z from 'zod/mini';

const body = z.record(z.string(), z.unknown());
const bodies = z.record(z.string(), body);
const bodyWith = <T extends z.core.$ZodLooseShape>(shape: T) => z.looseObject(shape);

const mount = z.strictObject({
  type: z.string(),
  description: z.optional(z.string()),
  options: z.optional(z.record(z.string(), z.coerce.string())),
  config: z.optional(body),
});

const database = bodyWith({
  connection_url: z.string(),
  roles: z.optional(bodies),
  static_roles: z.optional(bodies),
});

const pki = z.strictObject({
  root: z.optional(body),
  config: z.optional(body),
  roles: z.optional(bodies),
});

const jwt = z.strictObject({ config: body, roles: z.optional(bodies) });

const namespaceShape = {
  mounts: z.optional(z.record(z.string(), mount)),
  auth: z.optional(z.record(z.string(), mount)),
  policies: z.optional(z.record(z.string(), z.string())),
  secrets: z.optional(bodies),
  approles: z.optional(
    z.record(z.string(), bodyWith({ role_id: z.optional(z.string()), secret_id: z.optional(z.string()) })),
  ),
  tokens: z.optional(z.array(body)),
  userpass: z.optional(z.record(z.string(), bodyWith({ password: z.string() }))),
  jwt: z.optional(jwt),
  databases: z.optional(z.record(z.string(), database)),
  pki: z.optional(pki),
};

const namespaceSeed = z.strictObject(namespaceShape);

export const seedSchema = z.strictObject({
  ...namespaceShape,
  namespaces: z.optional(z.record(z.string(), namespaceSeed)),
});

export type NamespaceSeed = z.infer<typeof namespaceSeed>;
export type Seed = z.infer<typeof seedSchema>;
