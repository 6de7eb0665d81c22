// Fills a development vault from a YAML file: checks the whole file first, then asks the vault's own API, in order.
import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import type * as z from 'zod/mini';
import { LatchkeyError } from '../../../../src/base/errors.ts';
import type { DevMethod, DevVault } from '../dev-vault.ts';
import { type NamespaceSeed, type Seed, seedSchema } from './seed-schema.ts';

/** Rejects with `config_invalid`, naming file and place; what was written before stays. */
export async function seedFromFile(vault: DevVault, file: string): Promise<void> {
  await applySeed(vault, parseSeed(readSeed(file), file), file);
}

function readSeed(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new LatchkeyError('config_invalid', `cannot read the seed ${file}: ${reason}`, {
      cause: error,
      remedy: 'check --seed',
    });
  }
}

/** All problems at once; `file` is what messages call the text. */
export function parseSeed(text: string, file: string): Seed {
  let value: unknown;
  try {
    value = load(text, { filename: file }) ?? {};
  } catch (error) {
    const { reason, mark } = error as { reason?: string; mark?: { line: number; column: number } };
    const place = mark === undefined ? file : `${file}:${mark.line + 1}:${mark.column + 1}`;
    throw new LatchkeyError('config_invalid', `${place}: not YAML: ${reason ?? 'cannot be parsed'}`);
  }
  const result = seedSchema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) => describeIssue(issue));
  throw new LatchkeyError('config_invalid', problems.map((problem) => `${file}: ${problem}`).join('\n'), {
    remedy: 'see docs/reference/dev-vault.md for the shape of a seed',
  });
}

// Never repeats a value: passwords and secrets stand in this file.
function describeIssue(issue: z.core.$ZodIssue): string[] {
  const place = issue.path.map(String).join('.') || 'the file';
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${place}: unknown key ${key}`);
  if (issue.code === 'invalid_type')
    return [
      `${place}: expected ${issue.expected === 'record' ? 'a map' : `a value of type ${issue.expected}`}`,
    ];
  return [`${place}: ${issue.message.toLowerCase()}`];
}

async function applySeed(vault: DevVault, seed: Seed, file: string): Promise<void> {
  const { namespaces = {}, ...root } = seed;
  await applyNamespace(asker(vault, file, '', ''), root);
  for (const [name, inner] of Object.entries(namespaces)) {
    const path = name.replace(/\/$/, '');
    await asker(vault, file, '', 'namespaces.')(name, 'PUT', `sys/namespaces/${path}`, {});
    await applyNamespace(asker(vault, file, path, `namespaces.${name}.`), inner);
  }
}

// biome-ignore lint/suspicious/noExplicitAny: the shape is the API's, path by path
type Ask = (place: string, method: DevMethod, path: string, data?: object) => Promise<any>;

function asker(vault: DevVault, file: string, namespace: string, prefix: string): Ask {
  return async (place, method, path, data) => {
    const { status, body } = await vault.request(method, path, data, { namespace });
    if (status < 400) return body;
    const reason = [body.errors ?? []].flat().join('; ').trim();
    throw new LatchkeyError(
      'config_invalid',
      `${file}: ${prefix}${place}: the vault refused ${path} with ${status}: ${reason}`,
    );
  };
}

async function applyNamespace(ask: Ask, seed: NamespaceSeed): Promise<void> {
  const { mounts = {}, auth = {}, policies = {}, secrets = {}, tokens = [] } = seed;
  for (const [path, mount] of Object.entries(mounts))
    await ask(`mounts.${path}`, 'PUT', `sys/mounts/${path}`, mount);
  for (const [path, mount] of Object.entries(auth))
    await ask(`auth.${path}`, 'PUT', `sys/auth/${path}`, mount);
  for (const [name, policy] of Object.entries(policies)) {
    await ask(`policies.${name}`, 'PUT', `sys/policies/acl/${name}`, { policy });
  }
  await applySecrets(ask, secrets);
  await applyDatabases(ask, seed.databases ?? {});
  await applyPki(ask, seed.pki);
  await applyAppRoles(ask, seed.approles ?? {});
  await applyUserpass(ask, seed.userpass ?? {});
  await applyJwt(ask, seed.jwt);
  for (const [index, token] of tokens.entries()) {
    await ask(`tokens.${index}`, 'PUT', 'auth/token/create', { no_parent: true, ...token });
  }
}

/** Writes to KV 1 or 2, whichever the mount is; `secret/app` is without `data/` in both. */
async function applySecrets(ask: Ask, secrets: NonNullable<NamespaceSeed['secrets']>): Promise<void> {
  for (const [path, data] of Object.entries(secrets)) {
    const place = `secrets.${path}`;
    const mount = (await ask(place, 'GET', `sys/internal/ui/mounts/${path}`)).data;
    const below = path.slice(mount.path.length);
    if (mount.options?.version === '2') await ask(place, 'PUT', `${mount.path}data/${below}`, { data });
    else await ask(place, 'PUT', path, data);
  }
}

async function applyDatabases(ask: Ask, databases: NonNullable<NamespaceSeed['databases']>): Promise<void> {
  if (Object.keys(databases).length > 0) await ensure(ask, 'databases', 'sys/mounts', 'database');
  for (const [name, { roles = {}, static_roles = {}, ...config }] of Object.entries(databases)) {
    const defaults = { plugin_name: 'postgresql-database-plugin', allowed_roles: ['*'] };
    await ask(`databases.${name}`, 'PUT', `database/config/${name}`, { ...defaults, ...config });
    for (const [role, data] of Object.entries(roles)) {
      await ask(`databases.${name}.roles.${role}`, 'PUT', `database/roles/${role}`, {
        db_name: name,
        ...data,
      });
    }
    for (const [role, data] of Object.entries(static_roles)) {
      await ask(`databases.${name}.static_roles.${role}`, 'PUT', `database/static-roles/${role}`, {
        db_name: name,
        ...data,
      });
    }
  }
}

async function applyPki(ask: Ask, pki: NamespaceSeed['pki']): Promise<void> {
  if (pki === undefined) return;
  await ensure(ask, 'pki', 'sys/mounts', 'pki');
  if (pki.root !== undefined) await ask('pki.root', 'PUT', 'pki/root/generate/internal', pki.root);
  if (pki.config !== undefined) await ask('pki.config', 'PUT', 'pki/config/urls', pki.config);
  for (const [role, data] of Object.entries(pki.roles ?? {}))
    await ask(`pki.roles.${role}`, 'PUT', `pki/roles/${role}`, data);
}

async function applyAppRoles(ask: Ask, approles: NonNullable<NamespaceSeed['approles']>): Promise<void> {
  if (Object.keys(approles).length > 0) await ensure(ask, 'approles', 'sys/auth', 'approle');
  for (const [name, { role_id, secret_id, ...role }] of Object.entries(approles)) {
    const path = `auth/approle/role/${name}`;
    await ask(`approles.${name}`, 'PUT', path, role);
    if (role_id !== undefined) await ask(`approles.${name}.role_id`, 'PUT', `${path}/role-id`, { role_id });
    if (secret_id !== undefined)
      await ask(`approles.${name}.secret_id`, 'PUT', `${path}/custom-secret-id`, { secret_id });
  }
}

async function applyUserpass(ask: Ask, users: NonNullable<NamespaceSeed['userpass']>): Promise<void> {
  if (Object.keys(users).length > 0) await ensure(ask, 'userpass', 'sys/auth', 'userpass');
  for (const [name, user] of Object.entries(users))
    await ask(`userpass.${name}`, 'PUT', `auth/userpass/users/${name}`, user);
}

async function applyJwt(ask: Ask, jwt: NamespaceSeed['jwt']): Promise<void> {
  if (jwt === undefined) return;
  await ensure(ask, 'jwt', 'sys/auth', 'jwt');
  await ask('jwt.config', 'PUT', 'auth/jwt/config', jwt.config);
  for (const [role, data] of Object.entries(jwt.roles ?? {}))
    await ask(`jwt.roles.${role}`, 'PUT', `auth/jwt/role/${role}`, data);
}

/** Mounts what a section needs, unless `mounts` or `auth` did. */
async function ensure(
  ask: Ask,
  place: string,
  table: 'sys/mounts' | 'sys/auth',
  type: string,
): Promise<void> {
  const mounted = (await ask(place, 'GET', table)).data;
  if (mounted[`${type}/`] === undefined) await ask(place, 'PUT', `${table}/${type}`, { type });
}
