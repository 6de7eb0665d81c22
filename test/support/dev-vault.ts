// An embedded development vault for one test: started on a free port, closed with the test.

import { createDevVault, type DevVault, type DevVaultOptions } from '@latchkey/devvault/dev-vault.ts';
import type { Fault } from '@latchkey/devvault/http/faults.ts';
import type { Test } from 'tap';
import { type ServedVault, serveVault } from './served-vault.ts';

export interface TestVault extends ServedVault {
  readonly vault: DevVault;
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
  return {
    ...serveVault({
      address,
      rootToken: vault.rootToken,
      request: (method, path, data) => vault.request(method, path, data),
    }),
    vault,
    addFault: (fault) => vault.addFault(fault),
    clearFaults: () => vault.clearFaults(),
    countRequests(pattern = /^/) {
      const entries = Object.entries(vault.requests().by_path);
      return entries.reduce((sum, [key, count]) => (pattern.test(key) ? sum + count : sum), 0);
    },
  };
}
