// A vault as tests set it up, whichever it is: the embedded one, or a real one asked over HTTP where a program of it is there.
import type { DevAnswer, DevMethod } from '@latchkey/devvault/dev-vault.ts';
import t, { type Test } from 'tap';
import { startDevVault } from './dev-vault.ts';
import { findRealVault, noRealVault, startRealVault } from './real-vault.ts';

export interface ServedVault {
  readonly address: string;
  readonly rootToken: string;
  /** Asks as root, past faults and counters; gives whatever is answered. */
  request(method: DevMethod, path: string, data?: object): Promise<DevAnswer>;
  /** The same, but throws when the server refuses. Gives the body. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is the API's, path by path
  ask(method: DevMethod, path: string, data?: object): Promise<any>;
  /** Writes a secret: `secret/app` is a KV 2 path without `data/`. Gives the version. */
  writeSecret(path: string, data: Record<string, unknown>): Promise<number>;
  writePolicy(name: string, text: string): Promise<void>;
  /** A token with these policies, and whatever else auth/token/create takes. */
  createToken(options?: { policies?: string[]; ttl?: string; [key: string]: unknown }): Promise<string>;
  /** Makes an AppRole (mounting the method when it is not there); more fields as the role's. */
  createAppRole(name: string, role?: Record<string, unknown>): Promise<{ roleId: string; secretId: string }>;
}

export function serveVault(parts: Pick<ServedVault, 'address' | 'rootToken' | 'request'>): ServedVault {
  const ask: ServedVault['ask'] = async (method, path, data) => {
    const { status, body } = await parts.request(method, path, data);
    if (status >= 400) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body.errors ?? body)}`);
    return body;
  };
  return {
    ...parts,
    ask,
    async writeSecret(path, data) {
      const [mount, ...rest] = path.split('/');
      return (await ask('PUT', `${mount}/data/${rest.join('/')}`, { data })).data.version;
    },
    writePolicy: async (name, policy) => void (await ask('PUT', `sys/policies/acl/${name}`, { policy })),
    createToken: async (fields = {}) => (await ask('PUT', 'auth/token/create', fields)).auth.client_token,
    async createAppRole(name, role = {}) {
      const { auth } = (await ask('GET', 'sys/internal/ui/mounts')).data;
      if (auth['approle/'] === undefined) await ask('PUT', 'sys/auth/approle', { type: 'approle' });
      await ask('PUT', `auth/approle/role/${name}`, role);
      const roleId = (await ask('GET', `auth/approle/role/${name}/role-id`)).data.role_id;
      const secretId = (await ask('PUT', `auth/approle/role/${name}/secret-id`)).data.secret_id;
      return { roleId, secretId };
    },
  };
}

/** One test against the embedded vault (where it is not the real one's alone), and one against a real one where it is there. */
export function withEachVault(
  name: string,
  body: (t: Test, vault: ServedVault) => Promise<void>,
  { isRealOnly = false }: { isRealOnly?: boolean } = {},
): void {
  if (!isRealOnly) t.test(`${name}: embedded`, async (t) => body(t, await startDevVault(t)));
  const program = findRealVault();
  if (program === undefined) {
    t.pass(`${name}: real`, { skip: noRealVault });
    return;
  }
  t.test(`${name}: real`, async (t) => {
    const { address, rootToken } = await startRealVault(t, program, 'test-root');
    const request: ServedVault['request'] = async (method, path, data) => {
      const response = await fetch(`${address}/v1/${path}`, {
        method: method as string,
        headers: { 'x-vault-token': rootToken },
        ...(data === undefined ? {} : { body: JSON.stringify(data) }),
      });
      const text = await response.text();
      return { status: response.status, body: text === '' ? {} : JSON.parse(text) };
    };
    await body(t, serveVault({ address, rootToken, request }));
  });
}
