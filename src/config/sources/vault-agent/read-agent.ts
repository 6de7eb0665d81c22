// Reads one file of a Vault Agent or OpenBao agent or proxy: its types, and what is strict there, are strict here.
import { readTemplate, type SaidTemplate } from '../consul-template/read-template.ts';
import {
  type Block,
  createBlock,
  describeNode,
  type LabelledBlock,
  type Said,
  unlessEmpty,
} from '../hcl/block.ts';
import { HclError, type HclNode, type HclObject } from '../hcl/node.ts';
import { createRecord } from '../hcl/record.ts';
import type { Origin, Report } from '../hcl/report.ts';
import { decodeTree } from '../hcl/tree.ts';
import { noteUnknownKeys } from './note-unknown.ts';
import { readAutoAuth } from './read-auto-auth.ts';
import { readListener } from './read-listener.ts';

export type SaidAgent = ReturnType<typeof readAgent>;

export function readAgent(file: string, root: HclObject, report: Report) {
  const origin: Origin = { file, position: root.position, name: '' };
  const block = createBlock(root.items, origin, report);
  const agent = {
    vault: map(block.only('vault'), ({ block: inner }) => readVault(inner, report)),
    autoAuth: map(block.only('auto_auth'), ({ block: inner }) => readAutoAuth(inner, report)),
    cache: map(block.only('cache'), ({ block: inner }) => readCache(inner, report)),
    apiProxy: map(block.only('api_proxy'), ({ block: inner }) => readApiProxy(inner, report)),
    listeners: block.blocks('listener').flatMap((listener) => readListener(listener, report) ?? []),
    templates: block.blocks('template').flatMap(({ block: { origin: at } }, index) => {
      const node = block.nodes('template')[index];
      return node?.kind === 'object' ? (readStrict(node, at, report, readTemplate) ?? []) : [];
    }),
    templateConfig: map(block.only('template_config'), ({ block: inner }) =>
      readTemplateConfig(inner, report),
    ),
    envTemplates: readEnvTemplates(block, report),
    exec: map(block.only('exec'), (exec) => readAgentExec(exec, block, report)),
    exitAfterAuth: block.flag('exit_after_auth'),
    pidFile: block.text('pid_file'),
    logLevel: block.text('log_level'),
    logFormat: block.text('log_format'),
    logFile: block.text('log_file'),
  };
  readTheRest(block, report);
  return { ...agent, apiProxy: agent.apiProxy ?? proxyOfCache(agent.cache) };
}

/** The older place of `use_auto_auth_token` stands for a block api_proxy. */
function proxyOfCache(
  cache: ReturnType<typeof readCache> | undefined,
): ReturnType<typeof readApiProxy> | undefined {
  const use = cache?.useAutoAuthToken;
  if (cache === undefined || use === undefined || use.value === false) return undefined;
  return { origin: use.origin, useAutoAuthToken: use, isImplied: true };
}

function map<T, U>(value: T | undefined, convert: (value: T) => U): U | undefined {
  return value === undefined ? undefined : convert(value);
}

/** What has its types there, and nothing comes of here. */
function readTheRest(block: Block, report: Report): void {
  readConnections(block, report);
  readRotation(block, report);
  const mlock = block.looseFlag('disable_mlock');
  if (mlock?.value === false)
    report.problem(mlock.origin, 'memory is not locked; remove this key and switch swap off or encrypt it');
  for (const { block: inner } of block.blocks('telemetry')) {
    report.note(
      'differs',
      inner.origin,
      'metrics are at GET /metrics of a listener that serves them; nothing is sent to others',
    );
  }
  const others = [
    block.text('cluster_name'),
    block.node('default_max_request_duration'),
    block.node('templates'),
  ];
  for (const said of others) {
    if (said !== undefined) report.note('ignored', said.origin, 'does nothing in an agent');
  }
  for (const key of ['seal', 'kms', 'hsm', 'user_lockout']) {
    for (const { block: inner } of block.blocks(key))
      report.note('ignored', inner.origin, 'is for a server: an agent ignores it');
  }
  noteUnknownKeys(block, report);
}

function readConnections(block: Block, report: Report): void {
  for (const key of ['disable_idle_connections', 'disable_keep_alives']) {
    const said = block.texts(key);
    for (const system of said?.value ?? []) {
      if (said !== undefined && !['auto-auth', 'caching', 'proxying', 'templating', ''].includes(system)) {
        report.problem(
          said.origin,
          `expected auto-auth, caching, proxying or templating, got ${JSON.stringify(system)}`,
        );
      }
    }
    if (said !== undefined)
      report.note('ignored', said.origin, 'does nothing here: connections are few and looked after');
  }
}

function readRotation(block: Block, report: Report): void {
  const rotation = [
    block.integer('log_rotate_bytes'),
    block.text('log_rotate_duration'),
    block.integer('log_rotate_max_files'),
  ];
  for (const said of rotation) {
    if (said !== undefined)
      report.note('ignored', said.origin, 'is ignored: leave rotation to logrotate; HUP opens the log again');
  }
}

export type SaidVault = ReturnType<typeof readVault>;

function readVault(block: Block, report: Report) {
  const retry = block.only('retry');
  const vault = {
    origin: block.origin,
    address: block.text('address'),
    namespace: block.text('namespace'),
    caCert: block.text('ca_cert'),
    caPath: block.text('ca_path'),
    clientCert: block.text('client_cert'),
    clientKey: block.text('client_key'),
    tlsServerName: block.text('tls_server_name'),
    tlsSkipVerify: block.looseFlag('tls_skip_verify'),
    retries: retry?.block.integer('num_retries'),
  };
  if (retry !== undefined) noteUnknownKeys(retry.block, report);
  noteUnknownKeys(block, report);
  return vault;
}

function readCache(block: Block, report: Report) {
  const persist = block.only('persist');
  if (persist !== undefined) readPersist(persist, report);
  for (const key of [
    'cache_static_secrets',
    'static_secret_token_capability_refresh_interval',
    'static_secret_token_capability_refresh_behavior',
    'disable_caching_dynamic_secrets',
  ]) {
    const said = block.node(key);
    if (said !== undefined)
      report.note(
        'differs',
        said.origin,
        'is ignored: what is asked for through `secrets` is always kept, static or not',
      );
  }
  const cache = {
    origin: block.origin,
    useAutoAuthToken: block.flagOrForce('use_auto_auth_token'),
  };
  noteUnknownKeys(block, report);
  return cache;
}

function readPersist({ labels, block }: LabelledBlock, report: Report): void {
  const type = unlessEmpty(block.text('type'));
  block.text('path');
  block.flag('keep_after_import');
  block.flag('exit_on_err');
  block.text('service_account_token_file');
  noteUnknownKeys(block, report);
  if (type === undefined && labels.length !== 1)
    report.problem(block.origin, 'expected a type: persist "kubernetes" {');
  report.note(
    'differs',
    block.origin,
    'is ignored: leases that this agent made are found again by the next one without it',
  );
}

function readApiProxy(block: Block, report: Report) {
  for (const key of ['enforce_consistency', 'when_inconsistent']) {
    const said = block.node(key);
    if (said !== undefined)
      report.note('ignored', said.origin, 'is ignored: one server is asked, and it says when it is behind');
  }
  const prepend = block.looseFlag('prepend_configured_namespace');
  if (prepend?.value === true)
    report.note('differs', prepend.origin, 'is ignored: a caller names the whole namespace');
  const proxy = {
    origin: block.origin,
    useAutoAuthToken: block.flagOrForce('use_auto_auth_token'),
    /** By `use_auto_auth_token` in a block cache: there is no block api_proxy. */
    isImplied: false as boolean,
  };
  noteUnknownKeys(block, report);
  return proxy;
}

function readTemplateConfig(block: Block, report: Report) {
  const config = {
    origin: block.origin,
    exitOnRetryFailure: block.flag('exit_on_retry_failure'),
    staticInterval: block.duration('static_secret_render_interval'),
  };
  // What is ignored may be anything: not every agent of the two knows these.
  const connections = block.node('max_connections_per_host');
  if (connections !== undefined) {
    report.note(
      'differs',
      connections.origin,
      'is ignored: the budget of the upstream says how many requests are under way at once',
    );
  }
  const threshold = block.node('lease_renewal_threshold');
  if (threshold !== undefined) {
    report.note(
      'differs',
      threshold.origin,
      'is ignored: a lease is renewed at two thirds, and what cannot be renewed is read again early enough',
    );
  }
  noteUnknownKeys(block, report);
  return config;
}

/** A block that takes no unknown key. */
function readStrict<T>(
  node: HclNode & { kind: 'object' },
  origin: Origin,
  report: Report,
  read: (record: ReturnType<typeof createRecord>) => T,
): T | undefined {
  try {
    return read(createRecord(decodeTree(node), origin, report));
  } catch (error) {
    if (!(error instanceof HclError)) throw error;
    report.problem({ ...origin, position: error.position }, error.message);
    return undefined;
  }
}

export interface SaidEnvTemplate {
  readonly name: Said<string>;
  readonly template: SaidTemplate;
}

function readEnvTemplates(block: Block, report: Report): SaidEnvTemplate[] {
  const nodes = block.nodes('env_template');
  return block.blocks('env_template').flatMap(({ labels, block: { origin } }, index) => {
    const [label, ...more] = labels;
    const node = nodes[index];
    if (label === undefined || more.length > 0) {
      report.problem(origin, `expected one name of a variable: env_template "NAME" {, got ${labels.length}`);
    }
    if (node?.kind !== 'object') return [];
    const command = createBlock(node.items, origin, silent).node('command');
    if (command !== undefined && command.value.kind !== 'list') {
      report.problem(
        { ...command.origin, file: origin.file },
        `expected a list, got ${describeNode(command.value)}; and a command is not allowed here`,
      );
    }
    const template = readStrict(node, origin, report, readTemplate);
    if (label === undefined || template === undefined) return [];
    return [{ name: { value: label.name, origin: { ...origin, position: label.position } }, template }];
  });
}

function readAgentExec({ block: { origin } }: LabelledBlock, root: Block, report: Report) {
  const [node] = root.nodes('exec');
  if (node?.kind !== 'object') return undefined;
  const command = createBlock(node.items, origin, silent).node('command');
  if (command !== undefined && command.value.kind !== 'list') {
    report.problem(
      { ...command.origin, file: origin.file },
      `expected a list: the program and its arguments, got ${describeNode(command.value)}`,
    );
  }
  return readStrict(node, origin, report, (record) => {
    const exec = {
      origin,
      command: record.words('command'),
      restart: record.text('restart_on_secret_changes'),
      stopSignal: record.signal('restart_stop_signal'),
    };
    record.end();
    return exec;
  });
}

const silent: Report = { problem: () => undefined, note: () => undefined };
