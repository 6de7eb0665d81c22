// The `listener` block, of which an agent uses a few keys and a server many: those are known here too, and ignored.
import { isIP } from 'node:net';
import type { Block, LabelledBlock, Said } from '../hcl/block.ts';
import type { HclNode } from '../hcl/node.ts';
import type { Report } from '../hcl/report.ts';
import { noteUnknownKeys } from './note-unknown.ts';
import { typeOf } from './read-auto-auth.ts';

/** What a server's listener has beside the keys of an agent's, by the type that is wanted. */
const serverFlags = [
  'tls_require_and_verify_client_cert',
  'tls_disable_client_certs',
  'tls_auto_reload',
  'x_forwarded_for_reject_not_present',
  'x_forwarded_for_reject_not_authorized',
  'disable_unauthed_rekey_endpoints',
  'disable_unauthed_generate_root_endpoints',
  'cors_enabled',
];
const serverDurations = [
  'max_request_duration',
  'http_read_timeout',
  'http_read_header_timeout',
  'http_write_timeout',
  'http_idle_timeout',
  'tls_auto_reload_interval',
];
const serverTexts = [
  'cluster_address',
  'tls_min_version',
  'tls_max_version',
  'tls_cipher_suites',
  'tls_client_ca_file',
  'proxy_protocol_behavior',
];
const serverIntegers = ['max_request_size', 'x_forwarded_for_hop_skips'];
const serverLists = ['cors_allowed_origins', 'cors_allowed_headers'];
const serverBlocks = ['custom_response_headers', 'telemetry', 'profiling', 'inflight_requests_logging'];
const serverOthers = ['purpose', 'max_request_json_memory', 'max_request_json_strings'];
const serverAddresses = ['proxy_protocol_authorized_addrs', 'x_forwarded_for_authorized_addrs'];

export type SaidListener = Exclude<ReturnType<typeof readListener>, undefined>;

export function readListener(labelled: LabelledBlock, report: Report) {
  const { block } = labelled;
  const type = typeOf(labelled, 'listener', report);
  const kind = type?.value.toLowerCase();
  if (type !== undefined && kind !== 'tcp' && kind !== 'unix') {
    report.problem(type.origin, `expected tcp or unix, got ${JSON.stringify(type.value)}`);
  }
  const api = [...block.blocks('agent_api'), ...block.blocks('proxy_api')];
  const quits = api.map((inner) => inner.block.flag('enable_quit'));
  for (const inner of api) noteUnknownKeys(inner.block, report);
  const listener = {
    origin: block.origin,
    address: block.text('address'),
    role: block.text('role'),
    tlsDisable: block.looseFlag('tls_disable'),
    tlsCertFile: block.text('tls_cert_file'),
    tlsKeyFile: block.text('tls_key_file'),
    requireRequestHeader: block.looseFlag('require_request_header'),
    socketMode: block.text('socket_mode'),
    socketUser: block.text('socket_user'),
    socketGroup: block.text('socket_group'),
    enableQuit: quits.find((quit) => quit?.value === true),
  };
  if (!['', 'default', 'metrics_only'].includes(listener.role?.value ?? '')) {
    report.problem(
      listener.role?.origin ?? block.origin,
      `expected default or metrics_only, got ${JSON.stringify(listener.role?.value)}`,
    );
  }
  noteServerKeys(labelled, report);
  noteUnknownKeys(block, report);
  return type && { ...listener, type: { ...type, value: kind ?? '' } };
}

/** A list of addresses, or a text whose commas divide it. */
function readAddresses(block: Block, key: string, report: Report): Said<HclNode> | undefined {
  const said = block.node(key);
  if (said === undefined) return undefined;
  const nodes = said.value.kind === 'list' ? said.value.items : [said.value];
  const texts = nodes.flatMap((node) =>
    node.kind === 'literal' && node.type === 'string' ? node.text.split(',') : [''],
  );
  const bad = texts.some(
    (text) =>
      isIP(
        text
          .trim()
          .replace(/\/\d+$/, '')
          .replace(/^\[|\](?::\d+)?$/g, ''),
      ) === 0,
  );
  if (bad) report.problem(said.origin, 'expected addresses or networks such as "10.0.0.0/8"');
  return said;
}

function noteServerKeys({ block }: LabelledBlock, report: Report): void {
  const said = [
    ...serverFlags.map((key) => block.looseFlag(key)),
    ...serverDurations.map((key) => block.duration(key)),
    ...serverTexts.map((key) => block.text(key)),
    ...serverIntegers.map((key) => block.integer(key)),
    ...serverLists.map((key) => block.texts(key)),
    ...serverBlocks.flatMap((key) => block.blocks(key).map(({ block: inner }) => inner)),
    ...serverAddresses.map((key) => readAddresses(block, key, report)),
    ...serverOthers.map((key) => block.node(key)),
  ];
  for (const one of said) {
    if (one !== undefined)
      report.note('ignored', one.origin, 'is ignored: what connections may cost is bounded already');
  }
}
