// Google Secret Manager, Azure Key Vault and 1Password Connect for the contract of sources: their protocol as published, with the
// logins before it. Against the vendors' own services nothing of this runs here.
import { createHash, generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { crc32c } from '../../../src/upstream/gcp/crc32c.ts';
import { startFakeAccount } from '../fake-onepassword-sdk.ts';
import { type FakeRequest, startFakeService } from '../fake-service.ts';
import { testFolder } from '../test-folder.ts';
import type { KindCase } from './kind-fixture.ts';

/** Tokens that a login gives, one after another; `expire` makes the last one worthless. */
function createTokens() {
  let count = 0;
  return {
    next() {
      count += 1;
      return `canary-5f1d-token-${count}`;
    },
    isGood: ({ headers }: Pick<FakeRequest, 'headers'>) =>
      headers.authorization === `Bearer canary-5f1d-token-${count}`,
    expire() {
      count += 1;
    },
  };
}

const googleKey = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();

export const gcpKind: KindCase = {
  kind: 'gcp',
  async start(t: Test, { timeout = '5s' } = {}) {
    const tokens = createTokens();
    const versions = new Map<string, Buffer[]>();
    const denied = new Set<string>();
    const status = (code: number, word: string) => ({
      status: code,
      json: { error: { code, status: word, message: 'canary-5f1d' } },
    });
    const service = await startFakeService(t, (request) => {
      if (request.path === '/token')
        return { json: { access_token: tokens.next(), expires_in: 3600, token_type: 'Bearer' } };
      if (!tokens.isGood(request)) return status(401, 'UNAUTHENTICATED');
      const [, name = '', wanted = ''] =
        /^\/v1\/projects\/p\/secrets\/([^/]+)\/versions\/([^/]+):access$/.exec(request.path) ?? [];
      if (denied.has(name)) return status(403, 'PERMISSION_DENIED');
      const all = versions.get(name) ?? [];
      const number = wanted === 'latest' ? all.length : Number(wanted);
      const value = all[number - 1];
      if (value === undefined) return status(404, 'NOT_FOUND');
      const payload = { data: value.toString('base64'), dataCrc32c: String(crc32c(value)) };
      return { json: { name: `projects/123/secrets/${name}/versions/${number}`, payload } };
    });
    const credentials = join(testFolder(t), 'key.json');
    const key = {
      type: 'service_account',
      client_email: 'a@b',
      private_key: googleKey,
      private_key_id: 'k',
      token_uri: `${service.address}/token`,
    };
    writeFileSync(credentials, JSON.stringify(key), { mode: 0o600 });
    const id = (name: string) => `s-${Buffer.from(name).toString('hex')}`;
    const put = (name: string, value: Buffer) => {
      versions.set(id(name), [...(versions.get(id(name)) ?? []), value]);
      return id(name);
    };
    return {
      config: {
        kind: 'gcp',
        project: 'p',
        endpoint: service.address,
        credentials_file: credentials,
        timeout,
      },
      service,
      isRead: ({ path }) => path.endsWith(':access'),
      largest: 65_536,
      hasBinary: true,
      hasUnicodeNames: false,
      isPushed: false,
      put: (name, value) => put(name, Buffer.from(value)),
      putFields: (name, fields) => put(name, Buffer.from(JSON.stringify(fields))),
      remove: (name) => void versions.delete(id(name)),
      deny: (name) => void denied.add(id(name)),
      expireLogin: tokens.expire,
      alias: (path) => `projects/p/secrets/${path}`,
    };
  },
};

export const azureKind: KindCase = {
  kind: 'azure',
  async start(t: Test, { timeout = '5s' } = {}) {
    const tokens = createTokens();
    const secrets = new Map<string, { value: string; version: string }>();
    const denied = new Set<string>();
    const status = (code: number, word: string) => ({
      status: code,
      json: { error: { code: word, message: 'canary-5f1d' } },
    });
    const service = await startFakeService(t, (request) => {
      if (request.path === '/tenant/oauth2/v2.0/token') {
        const form = new URLSearchParams(request.body);
        if (form.get('client_secret') !== 'canary-5f1d-secret' || form.get('client_id') !== 'app')
          return status(401, 'invalid_client');
        return { json: { access_token: tokens.next(), expires_in: 3600, token_type: 'Bearer' } };
      }
      if (!tokens.isGood(request)) return status(401, 'Unauthorized');
      const name = request.path.replace('/secrets/', '').toLowerCase();
      if (request.query.get('api-version') === null) return status(400, 'BadParameter');
      if (denied.has(name)) return status(403, 'Forbidden');
      const secret = secrets.get(name);
      if (secret === undefined) return status(404, 'SecretNotFound');
      const id = `https://v.vault.azure.net/secrets/${name}/${secret.version}`;
      return { json: { value: secret.value, id, attributes: { enabled: true, created: 1, updated: 1 } } };
    });
    const id = (name: string) => `s-${Buffer.from(name).toString('hex')}`;
    const put = (name: string, value: string) => {
      secrets.set(id(name), {
        value,
        version: createHash('md5').update(`${value}${secrets.size}${Math.random()}`).digest('hex'),
      });
      return id(name);
    };
    return {
      config: { kind: 'azure', vault: service.address, tenant_id: 'tenant', client_id: 'app', timeout },
      env: { AZURE_AUTHORITY_HOST: service.address, AZURE_CLIENT_SECRET: 'canary-5f1d-secret' },
      service,
      isRead: ({ path }) => path.startsWith('/secrets/'),
      largest: 25_000,
      hasBinary: false,
      hasUnicodeNames: false,
      isPushed: false,
      put: (name, value) => put(name, value.toString()),
      putFields: (name, fields) => put(name, JSON.stringify(fields)),
      remove: (name) => void secrets.delete(id(name)),
      deny: (name) => void denied.add(id(name)),
      expireLogin: tokens.expire,
      alias: (path) => path.toUpperCase().replace(/^S-/, 'S-'),
    };
  },
};

export const onepasswordKind: KindCase = {
  kind: 'onepassword (Connect)',
  async start(t: Test, { timeout = '5s' } = {}) {
    const vaultId = 'v'.repeat(26);
    const idOf = (name: string) => createHash('sha256').update(name).digest('hex').slice(0, 26);
    const items = new Map<string, { title: string; version: number; fields: object[] }>();
    const denied = new Set<string>();
    let contentVersion = 1;
    let token = 'canary-5f1d-connect';
    const tokenFile = join(testFolder(t), 'token');
    writeFileSync(tokenFile, token, { mode: 0o600 });
    const status = (code: number) => ({ status: code, json: { status: code, message: 'canary-5f1d' } });
    const service = await startFakeService(t, ({ path, query, headers }) => {
      if (headers.authorization !== `Bearer ${token}`) return status(401);
      const wanted = /^(?:name|title) eq "((?:[^"\\]|\\.)*)"$/s
        .exec(query.get('filter') ?? '')?.[1]
        ?.replace(/\\(.)/g, '$1');
      if (path === '/v1/vaults') return { json: wanted === 'Apps' ? [{ id: vaultId, name: 'Apps' }] : [] };
      if (path === `/v1/vaults/${vaultId}`) return { json: { id: vaultId, name: 'Apps', contentVersion } };
      if (path === `/v1/vaults/${vaultId}/items`) {
        return {
          json: [...items]
            .filter(([, { title }]) => title === wanted)
            .map(([id, { title, version }]) => ({ id, title, version })),
        };
      }
      const id = path.replace(`/v1/vaults/${vaultId}/items/`, '');
      const item = items.get(id);
      if (denied.has(id)) return status(403);
      return item === undefined
        ? status(404)
        : { json: { id, ...item, sections: [], vault: { id: vaultId } } };
    });
    const write = (title: string, fields: object[]) => {
      contentVersion += 1;
      const id = idOf(title);
      items.set(id, { title, version: (items.get(id)?.version ?? 0) + 1, fields });
      return `op://Apps/${encodeURIComponent(title)}`;
    };
    return {
      config: { kind: 'onepassword', address: service.address, token_file: tokenFile, timeout },
      service,
      isRead: ({ path }) => path.includes('/items/'),
      largest: 50_000,
      hasBinary: false,
      hasUnicodeNames: true,
      isPushed: false,
      put: (name, value) =>
        `${write(name, [{ id: 'password', type: 'CONCEALED', label: 'password', value: value.toString() }])}/password`,
      putFields: (name, fields) =>
        write(
          name,
          Object.entries(fields).map(([label, value]) => ({ id: label, label, value, type: 'STRING' })),
        ),
      remove(name) {
        contentVersion += 1;
        items.delete(idOf(name));
      },
      deny(name) {
        contentVersion += 1;
        denied.add(idOf(name));
      },
      expireLogin() {
        token = 'canary-5f1d-other';
        writeFileSync(tokenFile, token);
      },
      alias: (path) => path.replace('op://', ''),
    };
  },
};

export const accountKind: KindCase = {
  kind: 'onepassword (service account)',
  async start(t: Test) {
    const account = startFakeAccount(t);
    const tokenFile = join(testFolder(t), 'token');
    writeFileSync(tokenFile, account.token, { mode: 0o600 });
    const write = (title: string, fields: Record<string, string>) => {
      const before = account.items.get(title);
      account.items.set(title, {
        id: before?.id ?? createHash('sha256').update(title).digest('hex').slice(0, 26),
        title,
        version: (before?.version ?? 0) + 1,
        fields: new Map(Object.entries(fields)),
      });
      return `op://Apps/${encodeURIComponent(title)}`;
    };
    return {
      config: {
        kind: 'onepassword',
        service_account_token_file: tokenFile,
        sdk_path: account.folder,
        // The contract asks more in a minute than an account would in an hour.
        limits: { reads_per_hour: 100_000 },
      },
      largest: 50_000,
      hasBinary: false,
      hasUnicodeNames: true,
      isPushed: false,
      put: (name, value) => `${write(name, { password: value.toString() })}/password`,
      putFields: (name, fields) => write(name, fields),
      remove: (name) => void account.items.delete(name),
      expireLogin() {
        account.token = 'canary-5f1d-other';
        writeFileSync(tokenFile, account.token);
      },
      alias: (path) => path.replace('op://', ''),
    };
  },
};

export const cloudKinds: readonly KindCase[] = [gcpKind, azureKind, onepasswordKind, accountKind];
