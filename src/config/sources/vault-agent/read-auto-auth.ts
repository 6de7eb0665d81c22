// The `auto_auth` block: how the agent logs in, and the sinks that get its token.
import { type Block, createBlock, describeNode, type LabelledBlock, type Said } from '../hcl/block.ts';
import { HclError, type HclNode } from '../hcl/node.ts';
import type { Origin, Report } from '../hcl/report.ts';
import { decodeTree, type MapTree } from '../hcl/tree.ts';
import { noteUnknownKeys } from './note-unknown.ts';

export type SaidAutoAuth = Exclude<ReturnType<typeof readAutoAuth>, undefined>;

export function readAutoAuth(block: Block, report: Report) {
  block.flag('enable_reauth_on_new_credentials');
  const methods = block.blocks('method');
  const [first, second] = methods;
  const method = first && readMethod(first, report);
  if (first === undefined) report.problem(block.origin, 'expected one block method, got none');
  if (second !== undefined)
    report.problem(second.block.origin, 'expected one block method, got a second one');
  const own = block.blocks('sink').flatMap((sink) => readSink(sink, report) ?? []);
  const listed = readListOfSinks(block, report);
  const sinks = own.length > 0 ? own : listed;
  noteUnknownKeys(block, report);
  if (method === undefined) return undefined;
  checkWrapping(method, sinks, report);
  return { origin: block.origin, method, sinks };
}

/**
 * Their own struct has a list `sinks`, which files may fill: each block in a block `sinks`, or one with a label. Blocks `sink`
 * replace it.
 */
function readListOfSinks(block: Block, report: Report): SaidSink[] {
  const nodes = block.all('sinks').flatMap(({ keys, value }): HclNode[] => {
    if (value.kind === 'list') return [...value.items];
    if (value.kind === 'literal' || keys.length > 0) return [value];
    return value.items.map((item) => item.value);
  });
  return nodes.flatMap((node, index) => {
    const { file, name } = block.origin;
    const origin: Origin = { file, position: node.position, name: `${name}.sinks[${index}]` };
    if (node.kind === 'object') {
      const inner = createBlock(node.items, origin, report);
      return (
        readSink({ labels: [], block: inner }, report, inner.text('type') ?? { value: '', origin }) ?? []
      );
    }
    report.problem(origin, `expected a block in braces, got ${describeNode(node)}`);
    return [];
  });
}

function checkWrapping(method: SaidMethod, sinks: readonly SaidSink[], report: Report): void {
  if (method.wrapTtl === undefined || method.wrapTtl.value <= 0) return;
  const [only, ...others] = sinks;
  if (only === undefined || others.length > 0) {
    report.problem(
      method.wrapTtl.origin,
      `with wrap_ttl on the method exactly one sink is expected, got ${sinks.length}`,
    );
  } else if ((only.wrapTtl?.value ?? 0) > 0) {
    report.problem(
      only.wrapTtl?.origin ?? only.origin,
      'wraps once more what the method wraps; remove one wrap_ttl',
    );
  }
}

export type SaidMethod = Exclude<ReturnType<typeof readMethod>, undefined>;

function readMethod(labelled: LabelledBlock, report: Report) {
  const { block } = labelled;
  const type = typeOf(labelled, 'method', report);
  const rest = {
    origin: block.origin,
    mountPath: block.text('mount_path'),
    namespace: block.text('namespace'),
    wrapTtl: block.duration('wrap_ttl'),
    minBackoff: block.duration('min_backoff'),
    maxBackoff: block.duration('max_backoff'),
    exitOnError: block.flag('exit_on_err'),
    ...readConfig(block, report),
  };
  noteUnknownKeys(block, report);
  return type && { ...rest, type };
}

export type SaidSink = Exclude<ReturnType<typeof readSink>, undefined>;

function readSink(
  labelled: LabelledBlock,
  report: Report,
  type: Said<string> | undefined = typeOf(labelled, 'sink', report),
) {
  const { block } = labelled;
  const sink = {
    origin: block.origin,
    wrapTtl: block.duration('wrap_ttl'),
    dhType: block.text('dh_type'),
    dhPath: block.text('dh_path'),
    deriveKey: block.flag('derive_key'),
    aad: block.text('aad'),
    aadVariable: block.text('aad_env_var'),
    ...readConfig(block, report),
  };
  checkEncryption(sink, report);
  noteUnknownKeys(block, report, ['path', 'mode', 'uid', 'gid'], 'config');
  return type && { ...sink, type };
}

function checkEncryption(sink: Omit<SaidSink, 'type'>, report: Report): void {
  const { dhType, dhPath, aad, aadVariable, deriveKey } = sink;
  if (dhType !== undefined && dhType.value !== '' && dhType.value !== 'curve25519') {
    report.problem(dhType.origin, `expected curve25519, got ${JSON.stringify(dhType.value)}`);
  }
  const hasType = (dhType?.value ?? '') !== '';
  const hasPath = (dhPath?.value ?? '') !== '';
  if (hasType !== hasPath) {
    report.problem(
      dhType?.origin ?? dhPath?.origin ?? sink.origin,
      'dh_type and dh_path are expected together',
    );
  }
  if (hasType) return;
  if ((aad?.value ?? '') !== '')
    report.problem(aad?.origin ?? sink.origin, 'is for an encrypted sink; set dh_type and dh_path');
  else if (aadVariable !== undefined && aadVariable.value !== '' && process.env[aadVariable.value]) {
    report.problem(aadVariable.origin, 'is for an encrypted sink; set dh_type and dh_path');
  }
  if (deriveKey?.value === true)
    report.problem(deriveKey.origin, 'is for an encrypted sink; set dh_type and dh_path');
}

/** The key `type`, else the label in lower case. */
export function typeOf(
  { labels, block }: LabelledBlock,
  what: string,
  report: Report,
): Said<string> | undefined {
  const said = block.text('type');
  if (said !== undefined && said.value !== '') return said;
  const [label, ...more] = labels;
  if (label !== undefined && more.length === 0 && label.name !== '') {
    return { value: label.name.toLowerCase(), origin: { ...block.origin, position: label.position } };
  }
  report.problem(block.origin, `expected a type: ${what} "TYPE" { or the key type in it`);
  return undefined;
}

function readConfig(block: Block, report: Report): { config: MapTree | undefined; configOrigin: Origin } {
  const said = block.node('config');
  const blocks = block.blocks('config');
  const [first] = blocks;
  const configOrigin = first?.block.origin ?? said?.origin ?? block.origin;
  if (first === undefined) return { config: undefined, configOrigin };
  const merged = block.items('config');
  try {
    return {
      config: decodeTree({
        kind: 'object',
        items: merged,
        position: first.block.origin.position ?? { line: 1, column: 1 },
      }),
      configOrigin,
    };
  } catch (error) {
    if (!(error instanceof HclError)) throw error;
    report.problem({ ...configOrigin, position: error.position }, error.message);
    return { config: undefined, configOrigin };
  }
}
