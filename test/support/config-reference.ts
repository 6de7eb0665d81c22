// Makes the JSON Schema and the reference page of the configuration from its schema, and lists the keys that it knows.
import * as z from 'zod/mini';
import {
  byteSize,
  duration,
  durationRange,
  fileMode,
  name,
  signalName,
} from '../../src/config/schema/fields.ts';
import { rootSchema } from '../../src/config/schema/schema.ts';

interface JsonSchema {
  type?: string;
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  pattern?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  additionalProperties?: JsonSchema | boolean;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
}

export function configJsonSchema(): JsonSchema {
  return {
    ...{ $id: 'latchkey.schema.json', title: 'latchkey.yaml' },
    ...(z.toJSONSchema(rootSchema, { io: 'input', target: 'draft-2020-12' }) as JsonSchema),
  };
}

/** Each map of the schema with its path: `upstreams.NAME(vault).tls`; each kind of upstream and form of a login is one. */
function sections(schema: JsonSchema, path = ''): { path: string; schema: JsonSchema }[] {
  const own = schema.properties === undefined ? [] : [{ path, schema }];
  const under = Object.entries(schema.properties ?? {}).flatMap(([key, value]) =>
    sections(value, path === '' ? key : `${path}.${key}`),
  );
  const { items, additionalProperties: values } = schema;
  return [
    ...own,
    ...under,
    ...(items === undefined ? [] : sections(items, `${path}[]`)),
    ...(typeof values === 'object' ? sections(values, `${path}.NAME`) : []),
    ...[...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap((branch) => {
      const form = branch.properties?.['method']?.const ?? branch.properties?.['kind']?.const;
      return sections(branch, form === undefined ? path : `${path}(${String(form)})`);
    }),
  ];
}

/** `files[].notify.signal`; a list that may be one thing alone counts once. */
export function configKeys(): string[] {
  const keys = sections(configJsonSchema()).flatMap(({ path, schema }) =>
    Object.keys(schema.properties ?? {}).map((key) => normalise(path === '' ? key : `${path}.${key}`)),
  );
  return [...new Set(keys)].sort();
}

function normalise(path: string): string {
  return path.replace('access[]', 'access.rules[]').replace('notify[]', 'notify');
}

/** The keys that a config document uses, named as `configKeys` names them. */
export function usedKeys(document: unknown): string[] {
  const found = new Set<string>();
  const named = new Set(['upstreams', 'secrets', 'hooks', 'processes[].env']);
  const open = /\.(?:parameters|only|claims)$|^template\.env$/;
  const visit = (value: unknown, path: string): void => {
    if (Array.isArray(value)) {
      for (const item of value) visit(item, `${path}[]`);
    } else if (typeof value === 'object' && value !== null && !open.test(path)) {
      const { method, kind = 'vault' } = value as { method?: string; kind?: string };
      const form = path.endsWith('.auth') ? method : path === 'upstreams.NAME' ? kind : undefined;
      const start = form === undefined ? path : `${path}(${form})`;
      for (const [key, item] of Object.entries(value)) {
        const next = named.has(path) ? `${path}.NAME` : start === '' ? key : `${start}.${key}`;
        if (!named.has(path)) found.add(normalise(next));
        visit(item, next);
      }
    }
  };
  visit(document, '');
  return [...found].sort();
}

const loginCommon = ['mount', 'namespace', 'min_backoff', 'max_backoff', 'exit_on_error', 'wrap_ttl'];
/** Keys that all logins share are documented once, with approle. */
export function isSharedLoginKey(key: string): boolean {
  return !key.includes('(approle)') && loginCommon.some((common) => key.endsWith(`).${common}`));
}

export function configReference(): string {
  const seen = new Set<string>();
  const tables = sections(configJsonSchema()).flatMap(({ path, schema }) => {
    const title = normalise(path);
    if (seen.has(title)) return [];
    seen.add(title);
    const rows = Object.entries(schema.properties ?? {})
      .filter(([key]) => !isSharedLoginKey(`${title}.${key}`))
      .map(([key, value]) => row(key, value, schema.required?.includes(key) === true));
    const heading = path === '' ? '## Top level' : `${path.includes('.') ? '###' : '##'} \`${title}\``;
    return [`${heading}\n\n${table([['key', 'form', 'default', 'meaning'], ...rows])}\n`];
  });
  return `${introduction}\n${tables.join('\n')}`;
}

const introduction = `# Configuration reference

One file or several, YAML 1.2 or JSON: \`--config PATH\`, repeatable; of a folder all \`*.yaml\`, \`*.yml\`, \`*.json\` and \`*.hcl\` are
read in the order of their names. Default: \`/etc/latchkey/latchkey.yaml\` with all beside it. With several files lists are appended and maps
merged; the same name or key in two files is an error. \`latchkey validate\` checks a configuration without starting
anything, this host's users, groups and template files included, and tells all that is wrong at once, with file, line
and column.

- Unknown keys are errors; the message names the nearest known one.
- **Durations** are \`250ms\`, \`30s\`, \`5m\`, \`1h30m\`; **sizes** \`64KiB\`, \`16MiB\`.
- **Modes** are quoted octal numbers, \`"0640"\`: unquoted, YAML 1.2 reads the decimal number 640.
- **Commands** are lists, the program and its arguments; no shell is involved.
- **Relative paths** start at the folder of the file that says them.
- \`\${NAME}\` is not expanded. Secrets do not belong in this file: what looks like one is refused.
- The \`VAULT_*\` variables fill what the file leaves open: of the only upstream, or, where there are several, of those
  without \`address\`.
- Two things may not write one path, and no destination may lie inside another; paths that links make one count as one.

Editors check the file against \`config/latchkey.schema.json\`; \`config/latchkey.full.yaml\` shows every key in its place.
\`NAME\` stands for a name of your choice, \`[]\` for each item of a list, \`auth(METHOD)\` for the keys of one login method,
\`NAME(KIND)\` for those of one kind of upstream.
The keys \`mount\`, \`namespace\`, \`min_backoff\`, \`max_backoff\`, \`exit_on_error\` and \`wrap_ttl\` hold for all of them.

This page is made from the schema; \`TAP_SNAPSHOT=1 node test/config/documents.ts\` writes it again.
`;

function row(key: string, schema: JsonSchema, isRequired: boolean): string[] {
  const fallback =
    schema.default === undefined ? (isRequired ? 'required' : '') : showDefault(schema.default);
  return [`\`${key}\``, form(schema), fallback, schema.description ?? ''].map((cell) =>
    cell.replaceAll('|', '\\|'),
  );
}

/** Columns as wide as their widest cell, as the formatter of this repository has them. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(3, ...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[], fill: string) =>
    `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width, fill)).join(' | ')} |`;
  const [head = [], ...body] = rows;
  return [line(head, ' '), line([], '-'), ...body.map((cells) => line(cells, ' '))].join('\n');
}

function showDefault(value: unknown): string {
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) return '';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

const pattern = (schema: z.ZodMiniType) => (z.toJSONSchema(schema, { io: 'input' }) as JsonSchema).pattern;
const forms = new Map([
  [pattern(duration()), 'duration'],
  [pattern(durationRange()), 'durations A..B'],
  [pattern(fileMode()), 'mode'],
  [pattern(byteSize()), 'size'],
  [pattern(name()), 'name'],
  [pattern(signalName()), 'signal'],
]);

function form(schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  const branches = schema.anyOf ?? schema.oneOf;
  if (branches !== undefined) return [...new Set(branches.map(form))].join(' or ');
  if (schema.type === 'array') return `list of ${form(schema.items ?? {})}`;
  if (schema.type === 'object') return 'map';
  if (schema.type === 'integer') return 'number';
  return (schema.pattern === undefined ? undefined : forms.get(schema.pattern)) ?? schema.type ?? '';
}
