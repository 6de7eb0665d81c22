// A file pipeline on a store that the test fills by hand: real files, real commands, no upstream.
import { join } from 'node:path';
import type { Test } from 'tap';
import { LatchkeyError } from '../../src/base/errors.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { createSystemClock } from '../../src/base/time/clock.ts';
import type { FileConfig, SecretConfig, TemplateConfig } from '../../src/config/resolved.ts';
import { createConsumerIndex } from '../../src/content/consumer-index.ts';
import { createDependencyResolver, resolveSecret } from '../../src/content/resolve-dependency.ts';
import { createTemplateCompiler } from '../../src/content/template-compiler.ts';
import {
  createFilePipeline,
  type FilePipeline,
  type FilePipelineOptions,
} from '../../src/files/file-pipeline.ts';
import { digestData } from '../../src/store/secret-version.ts';
import { createStore, type Store } from '../../src/store/store.ts';
import { runCommand } from './command-runner.ts';
import { type LogLine, recordLogs } from './record-logs.ts';
import { testFolder } from './test-folder.ts';

export const templateConfig: TemplateConfig = {
  refreshMs: 30_000,
  folder: process.cwd(),
  env: {},
  passesEnvironment: false,
  sandboxPaths: [],
  allowPlugin: false,
  deniedFunctions: [],
  maxOutputBytes: 1 << 20,
};

export interface RenderFixture {
  readonly folder: string;
  readonly store: Store;
  readonly log: LogLine[];
  /** Destinations in the order in which their templates were executed. */
  readonly executed: string[];
  readonly committed: string[];
  readonly notified: string[];
  path(name: string): string;
  /** Publishes new data for a name from `secrets`. */
  publish(name: string, fields: Record<string, string>, leaseId?: string): void;
  /** Upstream refuses. */
  refuse(name: string, code: 'not_found' | 'denied' | 'upstream_unavailable', message: string): void;
  keyOf(name: string): string;
  /** Made by `createPipeline`, closed with the test. */
  createPipeline(files: readonly FileConfig[], over?: Partial<FilePipelineOptions>): FilePipeline;
  /** A file in the fixture's folder with defaults; `text` is its template. */
  file(name: string, text: string, over?: Partial<FileConfig>): FileConfig;
}

export function createRenderFixture(t: Test, secretNames: readonly string[]): RenderFixture {
  const folder = testFolder(t);
  const clock = createSystemClock();
  const store = createStore({ clock });
  const secrets = secretNames.map(secretConfig);
  const keys = new Map(secrets.map((secret) => [secret.name, resolveSecret(secret).key]));
  const index = createConsumerIndex({ store });
  const { logger, lines: log } = recordLogs();
  const [executed, committed, notified]: [string[], string[], string[]] = [[], [], []];
  const keyOf = (name: string): string => keys.get(name) ?? name;
  const compiler = createTemplateCompiler({
    templates: { ...templateConfig, sandboxPaths: [folder] },
    env: { REGION: 'north' },
    clock,
  });
  let count = 0;

  return {
    folder,
    store,
    log,
    executed,
    committed,
    notified,
    keyOf,
    path: (name) => join(folder, name),
    publish(name, fields, leaseId) {
      store.publish(keyOf(name), answer(fields, leaseId), undefined);
    },
    refuse(name, code, message) {
      store.fail(keyOf(name), new LatchkeyError(code, message), 'pending');
    },
    createPipeline(files, over = {}) {
      const pipeline = createFilePipeline({
        files,
        store,
        index,
        resolve: createDependencyResolver({ secrets, defaultUpstream: 'vault' }),
        compile: compiler.compile,
        clock,
        random: () => 0.5,
        logger,
        runCommand,
        signalProcess: () => Promise.reject(new Error('no such process')),
        stateFolder: join(folder, 'state'),
        observer: {
          executed: (destination) => executed.push(destination),
          committed: (destination) => committed.push(destination),
          notified: (text, failure) => notified.push(failure === undefined ? text : `${text}: ${failure}`),
        },
        retry: {
          file: { minMs: 20, maxMs: 100 },
          check: { minMs: 20, maxMs: 100 },
          notify: { minMs: 20, maxMs: 100 },
          rollback: { minMs: 20, maxMs: 100 },
        },
        ...over,
      });
      t.teardown(() => pipeline.close({ signal: AbortSignal.timeout(60_000) }));
      return pipeline;
    },
    file(name, text, over = {}) {
      count += 1;
      return fileConfig({ place: `files[${count - 1}]`, destination: join(folder, name), ...over }, text);
    },
  };
}

export function fileConfig(
  over: Partial<FileConfig> & { readonly destination: string },
  text: string,
): FileConfig {
  return {
    place: 'files[0]',
    source: { kind: 'inline', text },
    mode: 0o600,
    owner: undefined,
    group: undefined,
    set: undefined,
    check: undefined,
    notify: [],
    settle: undefined,
    onFailure: 'keep',
    wait: { minMs: 0, maxMs: 0 },
    onDrift: 'repair',
    staging: undefined,
    createParents: false,
    backup: false,
    inPlace: false,
    fifo: false,
    removeOnExit: false,
    errorOnMissingKey: false,
    leftDelimiter: '{{',
    rightDelimiter: '}}',
    upstream: undefined,
    ...over,
  };
}

export function secretConfig(name: string): SecretConfig {
  return {
    name,
    upstream: 'vault',
    path: `secret/${name}`,
    operation: 'read',
    parameters: {},
    refreshMs: 30_000,
    statedRefreshMs: undefined,
    maxStaleMs: undefined,
    onStale: 'expire',
    onRemoved: 'keep',
    aliases: [],
    onDenied: 'keep',
    overlapMs: 30_000,
    onExit: 'revoke',
    isRequired: true,
  };
}

/** An answer of upstream with these fields. */
export function answer(fields: Record<string, string>, leaseId?: string) {
  const body = JSON.stringify({
    request_id: 'r',
    lease_id: leaseId ?? '',
    lease_duration: 3600,
    renewable: true,
    data: fields,
  });
  return {
    content: { form: 'vault' as const, body: SecretValue.fromText(body), shape: 'flat' as const },
    kind: leaseId === undefined ? ('static' as const) : ('leased' as const),
    dataDigest: digestData(fields),
    ...(leaseId === undefined ? {} : { lease: { id: leaseId, durationSeconds: 3600, isRenewable: true } }),
  };
}
