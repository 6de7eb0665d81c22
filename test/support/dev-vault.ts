// An embedded development vault for one test: started on a free port, closed with the test.

import {
  createDevVault,
  type DevMethod,
  type DevVault,
  type DevVaultOptions,
} from '@latchkey/devvault/dev-vault.ts';
import type { Fault } from '@latchkey/devvault/http/faults.ts';
import type { Test } from 'tap';

export interface TestVault {
  readonly vault: DevVault;
  readonly address: string;
  readonly rootToken: string;
  /** Asks as root, past faults and counters; throws when the server refuses. Gives the body. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is the API's, path by path
  ask(method: DevMethod, path: string, data?: object): Promise<any>;
  /** Writes a secret: `secret/app` is a KV 2 path without `data/`. Gives the version. */
  writeSecret(path: string, data: Record<string, unknown>): Promise<number>;
  writePolicy(name: string, text: string): Promise<void>;
  /** A token with these policies, and whatever else auth/token/create takes. */
  createToken(options?: { policies?: string[]; ttl?: string; [key: string]: unknown }): Promise<string>;
  /** Makes an AppRole (mounting the method when it is not there); more fields as the role's. */
  createAppRole(name: string, role?: Record<string, unknown>): Promise<{ roleId: string; secretId: string }>;
  addFault(fault: Fault): void;
  clearFaults(): void;
  /** Requests so far, all or those whose `METHOD path` matches: `/^GET secret\/data/`. */
  countRequests(pattern?: RegExp): number;
}

export async function startDevVault(t: Test, options: DevVaultOptions = {}): Promise<TestVault> {
  const vault = createDevVault(options);
  const address = await vault.start();
  t.teardown(() => vault.close());
  return describeVault(vault, address);
}

function describeVault(vault: DevVault, address: string): TestVault {
  const ask: TestVault['ask'] = async (method, path, data) => {
    const { status, body } = await vault.request(method, path, data);
    if (status >= 400) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body.errors ?? body)}`);
    return body;
  };
  return {
    vault,
    address,
    rootToken: vault.rootToken,
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
    addFault: (fault) => vault.addFault(fault),
    clearFaults: () => vault.clearFaults(),
    countRequests(pattern = /^/) {
      const entries = Object.entries(vault.requests().by_path);
      return entries.reduce((sum, [key, count]) => (pattern.test(key) ? sum + count : sum), 0);
    },
  };
}
