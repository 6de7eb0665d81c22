// `kind: http` for the contract of sources: a made-up service with a token, versions as ETags, and paths as names.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { startFakeService } from '../fake-service.ts';
import { testFolder } from '../test-folder.ts';
import type { KindCase } from './kind-fixture.ts';

export const httpKind: KindCase = {
  kind: 'http',
  async start(t: Test, { timeout = '5s' } = {}) {
    const values = new Map<string, { body: Buffer; etag: string }>();
    const denied = new Set<string>();
    let count = 0;
    const service = await startFakeService(t, ({ path, headers }) => {
      if (headers.authorization !== 'Bearer the-token') return { status: 401 };
      const name = decodeURIComponent(path.replace('/secrets/', ''));
      const found = values.get(name);
      if (denied.has(name)) return { status: 403 };
      if (found === undefined) return { status: 404 };
      if (headers['if-none-match'] === found.etag) return { status: 304 };
      return { text: found.body, headers: { etag: found.etag } };
    });
    const token = join(testFolder(t), 'token');
    writeFileSync(token, 'Bearer the-token\n', { mode: 0o600 });
    const put = (name: string, body: Buffer) => {
      count += 1;
      values.set(name, { body, etag: `"${count}"` });
      return name;
    };
    return {
      config: {
        kind: 'http',
        url: `${service.address}/secrets/{path}`,
        header_files: { Authorization: token },
        timeout,
      },
      service,
      largest: 1 << 20,
      hasBinary: true,
      hasUnicodeNames: true,
      isPushed: false,
      isAnyAnswer: true,
      put: (name, value) => put(name, Buffer.from(value)),
      putFields: (name, fields) => put(name, Buffer.from(JSON.stringify(fields))),
      remove: (name) => void values.delete(name),
      deny: (name) => void denied.add(name),
    };
  },
};
