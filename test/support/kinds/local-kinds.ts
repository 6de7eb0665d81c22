// The kinds of this host for the contract of sources: files, folders, sealed files, commands.
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { createKeyFileText, keyFromText } from '../../../src/upstream/file/seal-key.ts';
import { startServing } from '../serving.ts';
import { testFolder } from '../test-folder.ts';
import type { KindCase } from './kind-fixture.ts';

function replace(path: string, content: string | Buffer): void {
  writeFileSync(`${path}.new`, content, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

const local = { hasUnicodeNames: true, isPushed: true } as const;

const folderKind: KindCase = {
  kind: 'file (folder)',
  async start(t: Test) {
    const path = testFolder(t);
    return {
      ...local,
      config: { kind: 'file', path, format: 'folder' },
      largest: 1 << 20,
      hasBinary: true,
      put(name, value) {
        replace(join(path, name), value);
        return name;
      },
      remove: (name) => rmSync(join(path, name)),
    };
  },
};

const documentKind: KindCase = {
  kind: 'file (sealed yaml)',
  async start(t: Test) {
    const folder = testFolder(t);
    const path = join(folder, 'secrets.json.age');
    const keyText = await createKeyFileText(new Date());
    const key = await keyFromText(keyText, 'key');
    writeFileSync(join(folder, 'key'), keyText, { mode: 0o600 });
    const secrets: Record<string, unknown> = {};
    const save = async () => replace(path, await key.seal(Buffer.from(JSON.stringify(secrets))));
    await save();
    return {
      ...local,
      config: { kind: 'file', path, key: { file: join(folder, 'key') } },
      largest: 1 << 20,
      hasBinary: false,
      async put(name, value) {
        secrets[name] = value.toString();
        await save();
        return name;
      },
      async putFields(name, fields) {
        secrets[name] = fields;
        await save();
        return name;
      },
      async remove(name) {
        delete secrets[name];
        await save();
      },
    };
  },
};

/** Looks names up in a folder, as a script of an operator would. */
const script = `
const fs = require('node:fs');
const { operation, name } = JSON.parse(fs.readFileSync(0, 'utf8'));
const path = process.argv[1] + '/' + name;
if (fs.existsSync(path + '.denied')) process.exit(4);
let value;
try { value = fs.readFileSync(path).toString('base64'); } catch (error) { process.exit(error.code === 'ENOENT' ? 3 : 1); }
process.stdout.write(JSON.stringify({ value, encoding: 'base64' }));
`;

const execKind: KindCase = {
  kind: 'exec',
  async start(t: Test) {
    const folder = testFolder(t);
    return {
      ...local,
      config: {
        kind: 'exec',
        command: [process.execPath, '-e', script, folder],
        max_output: '4MiB',
        concurrency: 4,
      },
      largest: 1 << 20,
      hasBinary: true,
      isPushed: false,
      put(name, value) {
        writeFileSync(join(folder, name), value);
        return name;
      },
      remove: (name) => rmSync(join(folder, name)),
      deny: (name) => writeFileSync(join(folder, `${name}.denied`), ''),
    };
  },
};

const envKind: KindCase = {
  kind: 'env',
  async start() {
    // The source is given this very object: what it holds is the environment of the moment.
    const env: Record<string, string> = {};
    const nameOf = (name: string) => `APP_${name.replaceAll(/[^A-Za-z0-9]/g, '_')}`;
    return {
      config: { kind: 'env' },
      env,
      isFixed: true,
      largest: 100_000,
      hasBinary: false,
      hasUnicodeNames: false,
      isPushed: false,
      put(name, value) {
        env[nameOf(name)] = value.toString();
        return nameOf(name);
      },
      putFields(name, fields) {
        env[nameOf(name)] = JSON.stringify(fields);
        return nameOf(name);
      },
    };
  },
};

const agentKind: KindCase = {
  kind: 'agent',
  async start(t: Test) {
    const serving = await startServing();
    t.teardown(serving.close);
    const put = (name: string, fields: Record<string, string>) => {
      serving.put(name, fields);
      return name;
    };
    return {
      config: { kind: 'agent', socket: serving.socketPath },
      largest: 1 << 20,
      hasBinary: false,
      hasUnicodeNames: false,
      isPushed: false,
      put: (name, value) => put(name, { value: value.toString() }),
      putFields: put,
      remove: (name) => serving.drop(name),
    };
  },
};

export const localKinds: readonly KindCase[] = [folderKind, documentKind, execKind, envKind, agentKind];
