// The `config.toml` of AWS's Secrets Manager agent, and of the workload credentials provider that it became: its keys, flat or in
// tables, its defaults, its limits. A key that it does not know is an error there, and here.
import { hintAt } from '../../../base/text/nearest.ts';
import type { Said } from '../hcl/block.ts';
import type { Report } from '../hcl/report.ts';
import { type TomlKey, tomlKeys } from './toml-keys.ts';

const logKeys = ['log_level', 'log_to_file'];
const cacheKeys = ['ttl_seconds', 'cache_size'];
const tokenKeys = ['ssrf_headers', 'ssrf_env_variables'];
const servingKeys = [
  'http_address',
  'http_port',
  'path_prefix',
  'max_conn',
  'max_roles',
  'region',
  'ignore_transient_errors',
  'validate_credentials',
  'credentials_file_path',
  'prefetch.cache_buffer_ratio',
  'prefetch.max_jitter_seconds',
  'prefetch.filter_tags',
  'prefetch.secrets',
];
const flatKeys = [...logKeys, ...cacheKeys, ...tokenKeys, ...servingKeys];
const tables: Readonly<Record<string, readonly string[]>> = {
  logging: logKeys,
  'capabilities.secrets_manager': [...servingKeys, 'enabled'],
  'capabilities.secrets_manager.cache': cacheKeys,
  'capabilities.secrets_manager.security': tokenKeys,
};
const inTables = new Map<string, string>(
  Object.entries(tables).flatMap(([table, keys]) => keys.map((key) => [`${table}.${key}`, key] as const)),
);
const certificateKeys =
  /^capabilities\.acm\.(?:enabled|certificates|default_certificate_permission\.mode|default_key_permission\.mode)$/;

export type SaidAwsAgent = Exclude<ReturnType<typeof readAwsAgent>, undefined>;

export function readAwsAgent(file: string, text: string, report: Report) {
  const all = tomlKeys(file, text, report);
  if (all === undefined) return undefined;
  const values = knownKeys(all, report);
  const certificates = all.filter(({ name }) => certificateKeys.test(name));
  const isOn = certificates.some(({ name, value }) => name.endsWith('.enabled') && value === true);
  const { any, words, list, rows, number, ratio, flag } = readersOf(values, report);
  return {
    /** The first key of the part that keeps certificates of ACM, where that is in use. */
    certificates: isOn ? certificates[0]?.origin : undefined,
    logLevel: any('log_level', 'debug, info, warn, error or none', (value) =>
      typeof value === 'string' && /^(?:debug|info|warn|error|none)$/i.test(value)
        ? value.toLowerCase()
        : undefined,
    ),
    address: words('http_address'),
    // 0: the system picks one.
    port: number('http_port', 1024, 65_535, [0]),
    ttlSeconds: number('ttl_seconds', 0, 3600),
    region: words('region'),
    headers: list('ssrf_headers'),
    variables: list('ssrf_env_variables'),
    pathPrefix: any('path_prefix', 'a path that begins with /', (value) =>
      typeof value === 'string' && value.startsWith('/') ? value : undefined,
    ),
    maxConnections: number('max_conn', 1, 1000),
    cacheSize: number('cache_size', 1, 1000),
    logToFile: flag('log_to_file'),
    ignoreTransientErrors: flag('ignore_transient_errors'),
    validateCredentials: flag('validate_credentials'),
    credentialsFile: words('credentials_file_path'),
    /** False: the file asks for nothing of Secrets Manager. */
    enabled: flag('enabled'),
    maxRoles: number('max_roles', 1, 20),
    bufferRatio: ratio('prefetch.cache_buffer_ratio', 0.1, 1),
    jitterSeconds: number('prefetch.max_jitter_seconds', 0, 10),
    prefetchedSecrets: rows('prefetch.secrets', 'secret_id'),
    prefetchedTags: rows('prefetch.filter_tags', 'key'),
  };
}

/** Each by its flat name. Both forms in one file are an error there too. */
function knownKeys(all: readonly TomlKey[], report: Report): ReadonlyMap<string, TomlKey> {
  const hasTables = all.some(({ name }) => /^(?:logging|capabilities)\./.test(name));
  const known = new Map<string, TomlKey>();
  for (const key of all) {
    const { name, origin } = key;
    const isFlat = flatKeys.includes(name);
    const flat = isFlat ? name : inTables.get(name);
    if (isFlat && hasTables) {
      report.problem(
        origin,
        'cannot stand beside the tables logging and capabilities: put it into its table',
      );
    } else if (flat !== undefined) known.set(flat, key);
    else if (!certificateKeys.test(name)) {
      const names = hasTables ? [...inTables.keys()] : flatKeys;
      report.problem(origin, `unknown key; ${hintAt(name, names)}`);
    }
  }
  return known;
}

/** A key by its type; a value of another is a problem at its place. */
function readersOf(values: ReadonlyMap<string, TomlKey>, report: Report) {
  function any<T>(
    key: string,
    expected: string,
    convert: (value: unknown) => T | undefined,
  ): Said<T> | undefined {
    const said = values.get(key);
    if (said === undefined) return undefined;
    const value = convert(said.value);
    if (value === undefined) report.problem(said.origin, `expected ${expected}`);
    return value === undefined ? undefined : { value, origin: said.origin };
  }
  const isIn = (amount: unknown, least: number, most: number): amount is number =>
    typeof amount === 'number' && amount >= least && amount <= most;
  return {
    any,
    words: (key: string) => any(key, 'a string', (value) => (typeof value === 'string' ? value : undefined)),
    flag: (key: string) => any(key, 'true or false', flagOf),
    list: (key: string) =>
      any(key, 'a list of strings that is not empty', (value) =>
        Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string')
          ? (value as string[])
          : undefined,
      ),
    rows: (key: string, name: string) =>
      any(key, `a list of tables with ${name}, and role_arn at most`, (value) =>
        Array.isArray(value) && value.every((item) => isRow(item, name)) ? (value as unknown[]) : undefined,
      ),
    ratio: (key: string, least: number, most: number) =>
      any(key, `a number from ${least} to ${most}`, (value) =>
        isIn(value, least, most) ? value : undefined,
      ),
    number: (key: string, least: number, most: number, others: readonly number[] = []) =>
      any(key, `a number from ${least} to ${most}`, (value) => {
        const amount = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
        const isFit =
          Number.isInteger(amount) && (isIn(amount, least, most) || others.includes(Number(amount)));
        return isFit ? Number(amount) : undefined;
      }),
  };
}

/** The words that their reader takes, too. */
function flagOf(value: unknown): boolean | undefined {
  const word = String(value).toLowerCase();
  if (/^(?:true|yes|on|1)$/.test(word)) return true;
  return /^(?:false|no|off|0)$/.test(word) ? false : undefined;
}

function isRow(item: unknown, name: string): boolean {
  if (typeof item !== 'object' || item === null) return false;
  const row = item as Record<string, unknown>;
  return (
    Object.hasOwn(row, name) &&
    Object.entries(row).every(
      ([key, value]) => (key === name || key === 'role_arn') && typeof value === 'string',
    )
  );
}
