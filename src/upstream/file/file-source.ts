// Files as an upstream: a dotenv, JSON, YAML or ini file, plain, sealed with age or encrypted by SOPS, or a folder with a file
// for each secret. Watched; what is the same file as before is not read again.
import { LatchkeyError } from '../../base/errors.ts';
import { isJsonObject, JsonNumber } from '../../base/text/json.ts';
import type { SecretAnswer } from '../../store/secret-version.ts';
import { fieldsAnswer, valueAnswer } from '../kind/kind-answer.ts';
import { createKindSource, type KindClient, type KindHooks } from '../kind/kind-source.ts';
import type { SecretSource, SourceOptions } from '../secret-source.ts';
import { type DocumentNode, findNode, toJson } from './document.ts';
import type { FileUpstreamConfig } from './file-kind.ts';
import { fieldText, folderIdentity, readFolderSecret } from './folder.ts';
import { keyPath } from './load-seal-key.ts';
import { createSecretDocument } from './secret-document.ts';
import { createSourceWatch } from './source-watch.ts';

type Options = SourceOptions<FileUpstreamConfig>;

export function createFileSource(options: Options): SecretSource {
  return createKindSource(options, (hooks) =>
    options.config.format === 'folder'
      ? createFolderClient(options, hooks)
      : createDocumentClient(options, hooks),
  );
}

function createDocumentClient(options: Options, hooks: KindHooks): KindClient {
  const { config, env, clock, faultOf } = options;
  const { path, format, key, maxBytes } = config;
  if (format === 'folder') throw new LatchkeyError('internal', 'a folder is no document');
  const document = createSecretDocument({ path, format, key, maxBytes, env, clock, faultOf });
  const watch = createSourceWatch({ logger: options.logger, hooks, onChange: document.forget });
  return {
    address: path,
    async connect() {
      await document.open();
    },
    async read({ path: wanted }) {
      watch.note(wanted);
      const { content, identity } = await asUpstream(document.open());
      if (Buffer.isBuffer(content)) {
        if (wanted !== '') throw missing(path, wanted);
        return valueAnswer(Buffer.from(content), { versionId: identity });
      }
      const node = findNode(content, wanted);
      if (node === undefined || node === null) throw missing(path, wanted);
      return nodeAnswer(node, identity);
    },
    isCurrent: async (_reference, version) => (await asUpstream(document.identity())) === version.versionId,
    watch: () => watch.watchFiles([path, ...(key === undefined ? [] : [keyPath(key, env)])]),
    async close() {
      watch.close();
      document.forget();
    },
  };
}

function createFolderClient(options: Options, hooks: KindHooks): KindClient {
  const { path: root, maxBytes } = options.config;
  const limits = { maxBytes, faultOf: options.faultOf };
  const watch = createSourceWatch({ logger: options.logger, hooks });
  return {
    address: root,
    async connect() {
      await readFolderSecret(root, '', limits);
    },
    async read({ path }) {
      watch.note(path);
      const { content, identity } = await readFolderSecret(root, path, limits);
      if (Buffer.isBuffer(content)) return valueAnswer(content, { versionId: identity });
      const fields = [...content].map(([name, bytes]) => [name, fieldText(bytes)] as const);
      return fieldsAnswer(Object.fromEntries(fields), { versionId: identity });
    },
    isCurrent: async ({ path }, version) =>
      (await folderIdentity(root, path, maxBytes)) === version.versionId,
    watch: () => watch.watchFolder(root),
    async close() {
      watch.close();
    },
  };
}

/** That the whole file is not there is an outage; that a secret is not in it is not. */
async function asUpstream<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof LatchkeyError) || error.code === 'login_failed') throw error;
    const { message, remedy } = error;
    throw new LatchkeyError('upstream_unavailable', message, {
      cause: error,
      remedy,
    });
  }
}

function nodeAnswer(node: Exclude<DocumentNode, null>, versionId: string): SecretAnswer {
  const json = toJson(node);
  if (isJsonObject(json)) return fieldsAnswer(json, { versionId });
  if (typeof json === 'string') return valueAnswer(Buffer.from(json, 'utf8'), { versionId });
  return json instanceof JsonNumber
    ? valueAnswer(Buffer.from(json.text), { versionId })
    : fieldsAnswer({ value: json }, { versionId });
}

function missing(file: string, path: string): LatchkeyError {
  return new LatchkeyError('not_found', `${file}: there is no ${path || 'value without a name'} in it`);
}
