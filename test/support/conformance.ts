// Runs template conformance cases (format: test/fixtures/conformance/README.md) against the engine.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  isJsonObject,
  JsonNumber,
  type JsonObject,
  parseJson,
  stringifyJson,
} from '../../src/base/text/json.ts';
import type { Host } from '../../src/template/exec/function-table.ts';
import type { Dependency, Lookup, LookupSecret } from '../../src/template/exec/lookup.ts';
import { type Execution, parseTemplate } from '../../src/template/template.ts';
import { TemplateError } from '../../src/template/template-error.ts';

interface ConformanceCase {
  readonly id: string;
  readonly group: string;
  readonly template: string;
  readonly secrets?: Readonly<Record<string, JsonObject>>;
  readonly lists?: Readonly<Record<string, readonly string[]>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly error_on_missing_key?: boolean;
  readonly left_delimiter?: string;
  readonly right_delimiter?: string;
  readonly expect: {
    readonly output?: string;
    readonly missing?: readonly string[];
    readonly error?: string;
    readonly error_contains?: string;
    readonly position?: string;
  };
}

/** The cases of a file, numbers in secrets kept as their text. */
export function readCases(file: string): readonly ConformanceCase[] {
  return parseJson(readFileSync(file, 'utf8')) as unknown as ConformanceCase[];
}

/** Null when the case passes, else what differs, for people. */
export async function runCase(test: ConformanceCase): Promise<string | null> {
  const { expect } = test;
  let result: Execution;
  try {
    result = await executeCase(test);
  } catch (error) {
    return error instanceof TemplateError ? checkError(expect, error) : `threw ${(error as Error).stack}`;
  }
  if (result.failure !== null) return checkError(expect, result.failure);
  const output = result.output.toString('utf8');
  if (expect.error !== undefined)
    return lines('error', expect.error, `no error, output ${JSON.stringify(output)}`);
  if (!result.output.equals(Buffer.from(expect.output ?? '', 'utf8')))
    return lines('output', expect.output ?? '', output);
  const missing = stringifyJson(result.missing.map(dependencyText));
  const wanted = stringifyJson([...(expect.missing ?? [])]);
  return missing === wanted ? null : lines('missing', wanted, missing);
}

async function executeCase(test: ConformanceCase): Promise<Execution> {
  const template = await parseTemplate({
    name: '',
    text: test.template,
    leftDelimiter: test.left_delimiter ?? '',
    rightDelimiter: test.right_delimiter ?? '',
  });
  const host: Host = { env: (name) => test.env?.[name], now: () => new Date(0) };
  return template.execute({
    lookup: createLookup(test),
    host,
    isMissingKeyError: test.error_on_missing_key ?? false,
  });
}

function createLookup(test: ConformanceCase): Lookup {
  const secrets = new Map(
    Object.entries(test.secrets ?? {}).map(([path, secret]) => [trimmed(path), toSecret(secret)]),
  );
  const lists = new Map(Object.entries(test.lists ?? {}).map(([path, names]) => [trimmed(path), names]));
  return (dependency) => {
    const names = dependency.kind === 'list' ? lists.get(dependency.path) : undefined;
    if (names !== undefined) return { status: 'ready-list', names };
    const isRead = dependency.kind === 'read' || dependency.kind === 'name';
    const secret = isRead ? secrets.get(pathWithQuery(dependency)) : undefined;
    return secret === undefined ? { status: 'pending' } : { status: 'ready', secret };
  };
}

function trimmed(path: string): string {
  return path.replace(/^\/+|\/+$/g, '');
}

function pathWithQuery({ path, parameters }: Dependency): string {
  const query = new URLSearchParams(parameters).toString();
  return query === '' ? path : `${path}?${query}`;
}

function toSecret(secret: JsonObject): LookupSecret {
  const data = isJsonObject(secret['data']) ? secret['data'] : null;
  const inner =
    data !== null && isJsonObject(data['data']) && isJsonObject(data['metadata']) ? data['data'] : data;
  const duration = secret['lease_duration'];
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  return {
    requestId: text(secret['request_id']),
    leaseId: text(secret['lease_id']),
    leaseDurationSeconds: duration instanceof JsonNumber ? Number(duration.text) : 0,
    isRenewable: secret['renewable'] === true,
    data,
    warnings: Array.isArray(secret['warnings']) ? secret['warnings'].map(text) : null,
    auth: null,
    wrapInfo: null,
    fields: inner ?? {},
  };
}

function dependencyText({ kind, path, parameters }: Dependency): string {
  const version = parameters['version'];
  if (kind === 'list') return `vault.list(${path})`;
  if (kind === 'write') return `vault.write(${path} -> ${parametersHash(parameters)})`;
  return `vault.read(${path}${version === undefined ? '' : `.v${version}`})`;
}

function parametersHash(parameters: Readonly<Record<string, string>>): string {
  const hash = createHash('sha1');
  for (const key of Object.keys(parameters).sort()) hash.update(`${key}=${JSON.stringify(parameters[key])}`);
  return hash.digest('hex').slice(0, 8);
}

function checkError(expect: ConformanceCase['expect'], error: TemplateError): string | null {
  if (expect.error === undefined) return lines('output', expect.output ?? '', `error: ${error.message}`);
  if (!error.message.includes(expect.error_contains ?? expect.error))
    return lines('error', expect.error, error.message);
  const position = error.code === 'template_invalid' ? `${error.line}` : `${error.line}:${error.column}`;
  if (expect.position === undefined || position === expect.position) return null;
  return lines('position', expect.position, `${position} (${error.message})`);
}

function lines(what: string, wanted: string, got: string): string {
  return `${what}\n  - ${wanted.replaceAll('\n', '\n  - ')}\n  + ${got.replaceAll('\n', '\n  + ')}`;
}
