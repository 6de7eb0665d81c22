// The vendor's library for service accounts: their vaults are decrypted by nothing else. It is installed apart and loaded only
// for a config that wants it.
import { readdirSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LatchkeyError } from '../../base/errors.ts';
import { isFolder } from '../../base/paths/look-at.ts';
import { findPathFault } from '../../base/paths/trusted-path.ts';

/** The part of `@1password/sdk` that is used. */
export interface AccountSdk {
  createClient(options: {
    auth: string;
    integrationName: string;
    integrationVersion: string;
  }): Promise<AccountApi>;
}

export interface AccountApi {
  readonly secrets: {
    resolveAll(references: string[]): Promise<{
      individualResponses: Readonly<Record<string, ResolvedReference | undefined>>;
    }>;
  };
  readonly vaults: { list(): Promise<readonly { id: string; title: string }[]> };
  readonly items: {
    list(vaultId: string): Promise<readonly { id: string; title: string }[]>;
    get(vaultId: string, itemId: string): Promise<AccountItem>;
  };
}

export interface ResolvedReference {
  readonly content?: { readonly secret: string; readonly itemId: string; readonly vaultId: string };
  readonly error?: { readonly type: string };
}

export interface AccountItem {
  readonly version: number;
  readonly sections: readonly { id: string; title: string }[];
  readonly fields: readonly { id: string; title: string; sectionId?: string; value: string }[];
}

// Not a literal: the bundler would want it to be there.
const packageName: string = '@1password/sdk';

/** It becomes a part of this process, with all that that holds: so does each of its files, and what they load of the vendor's. */
function assertOurs(path: string): void {
  const vendors = vendorsFolderOf(path);
  const files = vendors === undefined ? [] : filesBelow(vendors, new Set());
  const fault = [path, ...files].map((one) => findPathFault(one)).find((one) => one !== undefined);
  if (fault === undefined) return;
  throw new LatchkeyError(
    'login_failed',
    `the package ${packageName} is not loaded: ${fault.path} ${fault.what}`,
    { remedy: fault.remedy },
  );
}

/** `@1password`: the library's native half lies beside it. */
function vendorsFolderOf(path: string): string | undefined {
  const [scope = ''] = packageName.split('/');
  const at = path.lastIndexOf(`/${scope}/`);
  return at < 0 ? undefined : path.slice(0, at + 1 + scope.length);
}

/** Folders too; through links, which package managers make between packages. */
function filesBelow(folder: string, seen: Set<string>): string[] {
  const real = realpathSync(folder);
  if (seen.has(real)) return [];
  seen.add(real);
  return readdirSync(real).flatMap((name) => {
    const path = join(real, name);
    return [path, ...(isFolder(path) ? filesBelow(path, seen) : [])];
  });
}

/** From `folder`, else from beside this program. Throws `login_failed` that says how to install it. */
export async function loadAccountSdk(folder: string | undefined): Promise<AccountSdk> {
  try {
    const base = folder === undefined ? import.meta.url : pathToFileURL(join(folder, 'from-here.js'));
    const path = createRequire(base).resolve(packageName);
    assertOurs(path);
    const loaded = (await import(pathToFileURL(path).href)) as AccountSdk & { default?: AccountSdk };
    return typeof loaded.createClient === 'function' ? loaded : (loaded.default ?? loaded);
  } catch (error) {
    if (error instanceof LatchkeyError) throw error;
    const where = folder === undefined ? 'beside this program' : `in ${folder}`;
    const code = (error as { code?: unknown }).code;
    const isMissing = code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND';
    throw new LatchkeyError(
      'login_failed',
      `service accounts of 1Password need the package ${packageName}, which ${isMissing ? 'is not' : 'does not load'} ${where}`,
      {
        cause: error,
        remedy: `npm install --prefix /usr/local/lib/latchkey-onepassword ${packageName}, and name that folder in sdk_path; or use a Connect server`,
      },
    );
  }
}
