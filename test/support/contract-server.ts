// The servers of the contract tests: the embedded vault in both dialects, and a real one where a binary is found
// (`bao` or `vault` on the PATH, or LATCHKEY_TEST_VAULT), started by real-vault.ts.
import { execFileSync } from 'node:child_process';
import { createDevVault } from '@latchkey/devvault/dev-vault.ts';
import t, { type Test } from 'tap';
import { findRealVault, noRealVault, startRealVault } from './real-vault.ts';

export interface AskOptions {
  data?: object;
  /** Default: the root token; empty sends none. */
  token?: string;
  namespace?: string;
  wrapTtl?: string;
  headers?: Record<string, string>;
}

export interface ContractAnswer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the shape is the API's, path by path
  body: any;
}

export interface ContractServer {
  /** Whose words it speaks. */
  readonly dialect: 'vault' | 'openbao';
  readonly isEmbedded: boolean;
  readonly address: string;
  readonly unsealKey: string;
  ask(method: string, path: string, options?: AskOptions): Promise<ContractAnswer>;
}

interface Step {
  request: string;
  status: number;
  errors?: string[];
  shape?: unknown;
}

const rootToken = 'contract-root';

/**
 * Runs one body against every server. Where a real one is there, its answers and those of the embedded vault in the
 * same dialect must be equal too, step by step: status, errors and the shape of the body.
 */
export function contract(name: string, body: (t: Test, server: ContractServer) => Promise<void>): void {
  t.test(name, async (t) => {
    const transcripts = new Map<string, Step[]>();
    const run = (label: string, start: (t: Test) => Promise<Omit<ContractServer, 'ask'>>): Promise<unknown> =>
      t.test(label, async (t) => {
        const steps: Step[] = [];
        transcripts.set(label, steps);
        const server = await start(t);
        await body(t, {
          ...server,
          ask: (method, path, options) => ask(server.address, steps, method, path, options),
        });
      });
    await run('embedded, as vault', (t) => startEmbedded(t, 'vault'));
    await run('embedded, as openbao', (t) => startEmbedded(t, 'openbao'));
    const binary = findRealVault();
    if (binary === undefined) {
      t.pass('against a real server', { skip: noRealVault });
      return;
    }
    const dialect = dialectOf(binary);
    await run(`real ${dialect}`, async (t) => ({
      ...(await startRealVault(t, binary, rootToken)),
      dialect,
      isEmbedded: false,
    }));
    compare(t, transcripts.get(`embedded, as ${dialect}`) ?? [], transcripts.get(`real ${dialect}`) ?? []);
  });
}

function compare(t: Test, embedded: Step[], real: Step[]): void {
  for (const [index, step] of real.entries()) {
    t.strictSame(embedded[index], step, `the embedded vault answers as the real one: ${step.request}`);
  }
}

async function startEmbedded(t: Test, flavor: 'vault' | 'openbao'): Promise<Omit<ContractServer, 'ask'>> {
  const vault = createDevVault({ rootToken, flavor });
  const address = await vault.start();
  t.teardown(() => vault.close());
  return { dialect: flavor, isEmbedded: true, address, unsealKey: vault.unsealKey };
}

function dialectOf(binary: string): 'vault' | 'openbao' {
  return execFileSync(binary, ['version'], { encoding: 'utf8' }).startsWith('OpenBao') ? 'openbao' : 'vault';
}

async function ask(
  address: string,
  steps: Step[],
  method: string,
  path: string,
  options: AskOptions = {},
): Promise<ContractAnswer> {
  const token = options.token ?? rootToken;
  const response = await fetch(`${address}/v1/${path}`, {
    method,
    headers: {
      ...(token === '' ? {} : { 'x-vault-token': token }),
      ...(options.namespace === undefined ? {} : { 'x-vault-namespace': options.namespace }),
      ...(options.wrapTtl === undefined ? {} : { 'x-vault-wrap-ttl': options.wrapTtl }),
      ...(options.data === undefined
        ? {}
        : { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' }),
      ...options.headers,
    },
    ...(options.data === undefined ? {} : { body: JSON.stringify(options.data) }),
  });
  const text = await response.text();
  const body = parse(text);
  steps.push(record(`${method} ${masked(path)}`, response.status, body));
  return { status: response.status, body };
}

function parse(text: string): unknown {
  if (text === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function record(request: string, status: number, body: unknown): Step {
  if (body === null || typeof body !== 'object') return { request, status, shape: typeof body };
  const { errors, ...rest } = body as { errors?: string[] };
  if (errors !== undefined) return { request, status, errors: errors.map(masked), shape: shapeOf(rest) };
  return { request, status, shape: shapeOf(rest) };
}

// What is random or tells of the time, in texts that are compared.
function masked(text: string): string {
  return text
    .replace(/failed to parse policy: At .*/s, 'failed to parse policy: At <place>')
    .replace(/^Field validation failed: /, '')
    .replace(/\bv-[\w-]+-[A-Za-z0-9]{20}-\d+/g, '<user>')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uuid>')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)/g, '<time>')
    .replace(/([0-9a-f]{2}:){8,}[0-9a-f]{2}/g, '<serial>')
    .replace(/\b(?:hvs|hvb|s|b)\.[\w.-]{20,}/g, '<token>')
    .replace(/\b[A-Za-z0-9]{20,}(\.[A-Za-z0-9]{6})?\b/g, '<id>');
}

// What one server alone has: builds, plugins, identity, and OpenBao's own additions.
const passedOver = new Set([
  'mount_type',
  'deprecation_status',
  'running_plugin_version',
  'plugin_version',
  'running_sha256',
  'version',
  'build_date',
  'warnings',
  'identity/',
  'seal_wrap',
  'passthrough_request_headers',
  'token_strictly_bind_ip',
  'metadata_cas_required',
  'current_metadata_version',
  'allow_slashes_in_identity_templates',
  'allow_wildcards_in_identity_templates',
  'modified',
  'user_lockout_config',
  'commit_date',
  'allow_globs_in_identity_templates',
  'allowed_ip_sans_cidr',
  'not_before',
  'not_before_bound',
  'not_after_bound',
]);

function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value !== 'object') return typeof value;
  const entries = Object.entries(value).filter(([key]) => !passedOver.has(key));
  const shaped = entries.map(([key, item]): [string, unknown] => [masked(key), shapeOf(item)]);
  return Object.fromEntries(shaped.sort(([a], [b]) => (a < b ? -1 : 1)));
}
