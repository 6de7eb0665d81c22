// The `config.toml` of AWS's Secrets Manager agent: its keys, its defaults, its limits. A key that it does not know is an error
// there, and here.
import { parse, TomlError } from 'smol-toml';
import { nearest } from '../../../base/text/nearest.ts';
import type { Position } from '../../problems.ts';
import type { Said, SaidKeys } from '../hcl/block.ts';
import type { Origin, Report } from '../hcl/report.ts';

export interface SaidAwsAgent
  extends SaidKeys<{
    logLevel: string;
    address: string;
    port: number;
    ttlSeconds: number;
    region: string;
    headers: readonly string[];
    variables: readonly string[];
    pathPrefix: string;
    maxConnections: number;
    cacheSize: number;
    logToFile: boolean;
    ignoreTransientErrors: boolean;
    validateCredentials: boolean;
    credentialsFile: string;
  }> {}

const keys = [
  'log_level',
  'http_address',
  'log_to_file',
  'http_port',
  'ttl_seconds',
  'cache_size',
  'ssrf_headers',
  'ssrf_env_variables',
  'path_prefix',
  'max_conn',
  'region',
  'ignore_transient_errors',
  'validate_credentials',
  'credentials_file_path',
];

export function readAwsAgent(file: string, text: string, report: Report): SaidAwsAgent | undefined {
  const values = parsed(file, text, report);
  if (values === undefined) return undefined;
  const originOf = (key: string): Origin => ({ file, position: positionOf(text, key), name: key });
  for (const key of Object.keys(values)) {
    if (keys.includes(key)) continue;
    const guess = nearest(key, keys);
    report.problem(
      originOf(key),
      `unknown key; ${guess === undefined ? `known here: ${keys.join(', ')}` : `did you mean ${guess}?`}`,
    );
  }
  const { any, words, list, number, flag } = readersOf(values, originOf, report);
  return {
    logLevel: any('log_level', 'debug, info, warn, error or none', (value) =>
      typeof value === 'string' && /^(?:debug|info|warn|error|none)$/i.test(value)
        ? value.toLowerCase()
        : undefined,
    ),
    address: words('http_address'),
    port: number('http_port', 1024, 65_535),
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
  };
}

/** A key by its type; a value of another is a problem at its place. */
function readersOf(
  values: Readonly<Record<string, unknown>>,
  originOf: (key: string) => Origin,
  report: Report,
) {
  function any<T>(
    key: string,
    expected: string,
    convert: (value: unknown) => T | undefined,
  ): Said<T> | undefined {
    if (!Object.hasOwn(values, key)) return undefined;
    const value = convert(values[key]);
    if (value === undefined) report.problem(originOf(key), `expected ${expected}`);
    return value === undefined ? undefined : { value, origin: originOf(key) };
  }
  return {
    any,
    words: (key: string) => any(key, 'a string', (value) => (typeof value === 'string' ? value : undefined)),
    flag: (key: string) =>
      any(key, 'true or false', (value) => (typeof value === 'boolean' ? value : undefined)),
    list: (key: string) =>
      any(key, 'a list of strings that is not empty', (value) =>
        Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string')
          ? (value as string[])
          : undefined,
      ),
    number: (key: string, least: number, most: number) =>
      any(key, `a number from ${least} to ${most}`, (value) => {
        const amount = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
        return typeof amount === 'number' && Number.isInteger(amount) && amount >= least && amount <= most
          ? amount
          : undefined;
      }),
  };
}

function parsed(file: string, text: string, report: Report): Record<string, unknown> | undefined {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [message = ''] = error.message.split('\n');
    report.problem(
      { file, position: { line: error.line, column: error.column }, name: '' },
      `not valid TOML: ${message}`,
    );
    return undefined;
  }
}

/** Its keys stand one in a line. */
function positionOf(text: string, key: string): Position | undefined {
  const lines = text.split('\n');
  const index = lines.findIndex((line) => new RegExp(`^\\s*["']?${key}["']?\\s*=`).test(line));
  return index < 0 ? undefined : { line: index + 1, column: (lines[index]?.search(/\S/) ?? 0) + 1 };
}
