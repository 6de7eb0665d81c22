// Validates each source against the schema, item by item (one bad item hides no other), and merges the sources: lists are
// appended, maps merged; the same name or key in two places is an error that names both.
import * as z from 'zod/mini';
import type { Item, Named } from '../item.ts';
import { Place, type Problems, reportTwice } from '../problems.ts';
import { addIssues, describeUnknownKey } from '../schema/describe-issue.ts';
import { flag, name as nameSchema } from '../schema/fields.ts';
import { fileSchema } from '../schema/file-schema.ts';
import { hookSchema } from '../schema/hook-schema.ts';
import { processSchema } from '../schema/process-schema.ts';
import {
  agentSchema,
  logSchema,
  rootSchema,
  secretSchema,
  telemetrySchema,
  templateSchema,
} from '../schema/schema.ts';
import {
  type AccessRuleInput,
  accessRuleSchema,
  accessSchema,
  auditSchema,
  listenerSchema,
} from '../schema/serving-schema.ts';
import { upstreamSchema } from '../upstreams/kinds.ts';
import type { ConfigSource } from './read-source.ts';

/** All that the sources say, each item with its place. */
export type MergedConfig = ReturnType<typeof mergeSources>;

export function mergeSources(sources: readonly ConfigSource[], problems: Problems) {
  const roots = sources.flatMap((source) => checkRoot(source, problems));
  const access = readAccess(roots, problems);
  const [stateDir, ...others] = items(roots, 'state_dir');
  for (const other of others) reportTwice(problems, other.place, stateDir?.place ?? other.place);
  return {
    upstreams: readMap(roots, 'upstreams', upstreamSchema, problems),
    secrets: readMap(roots, 'secrets', secretSchema, problems),
    files: readList(roots, 'files', fileSchema, problems),
    processes: readList(roots, 'processes', processSchema, problems),
    listeners: readList(roots, 'listeners', listenerSchema, problems),
    hooks: readMap(roots, 'hooks', hookSchema, problems),
    ...access,
    audit: readSection(roots, 'audit', auditSchema, problems),
    log: sectionOrDefaults(roots, 'log', logSchema, problems),
    telemetry: sectionOrDefaults(roots, 'telemetry', telemetrySchema, problems),
    template: sectionOrDefaults(roots, 'template', templateSchema, problems),
    agent: sectionOrDefaults(roots, 'agent', agentSchema, problems),
    stateDir: stateDir && validate(z.string('a path').check(z.minLength(1, 'a path')), stateDir, problems),
    /** Each file may say it; it counts where the file itself is as it should be. */
    strictModes: items(roots, 'strict_modes').flatMap((item) => validate(flag(), item, problems) ?? []),
    /** All names, those of invalid items too, so that one mistake is told once. */
    names: {
      upstreams: new Set(items(roots, 'upstreams').flatMap(keysOf)),
      secrets: new Set(items(roots, 'secrets').flatMap(keysOf)),
      processes: new Set(items(roots, 'processes').flatMap(namesInList)),
      listenerCount: items(roots, 'listeners').flatMap((item) => item.value).length,
    },
  };
}

interface Root {
  readonly map: Readonly<Record<string, unknown>>;
  readonly place: Place;
}

function checkRoot(source: ConfigSource, problems: Problems): Root[] {
  const place = new Place(source, []);
  if (!isMap(source.value)) {
    problems.add(place, 'expected a map with the sections of the configuration');
    return [];
  }
  const known = Object.keys(rootSchema.shape);
  for (const key of Object.keys(source.value)) {
    if (!known.includes(key)) problems.add(place.at(key), describeUnknownKey(key, known), 'key');
  }
  return [{ map: source.value, place }];
}

/** The section in each source; a section without content (all lines commented out) is as good as absent. */
function items(roots: readonly Root[], key: string): Item<unknown>[] {
  return roots.flatMap(({ map, place }) => {
    const value = Object.hasOwn(map, key) ? map[key] : undefined;
    return value === undefined || value === null ? [] : [{ value, place: place.at(key) }];
  });
}

function readMap<T extends z.ZodMiniType>(
  roots: readonly Root[],
  key: string,
  schema: T,
  problems: Problems,
): Named<z.output<T>>[] {
  const found = new Map<string, Named<z.output<T>>>();
  const places = new Map<string, Place>();
  for (const { value, place } of items(roots, key)) {
    if (!isMap(value)) {
      problems.add(place, 'expected a map by name');
      continue;
    }
    for (const [name, entry] of Object.entries(value)) {
      const at = place.at(name);
      const first = places.get(name);
      if (first !== undefined) reportTwice(problems, at, first);
      places.set(name, first ?? at);
      const badName = nameSchema().safeParse(name).error?.issues[0]?.message;
      if (badName !== undefined) problems.add(at, `expected ${badName} as the key`, 'key');
      const item = validate(schema, { value: entry, place: at }, problems);
      if (item !== undefined && first === undefined) found.set(name, { ...item, name });
    }
  }
  return [...found.values()];
}

function readList<T extends z.ZodMiniType>(
  roots: readonly Root[],
  key: string,
  schema: T,
  problems: Problems,
): Item<z.output<T>>[] {
  return items(roots, key).flatMap((item) => readItems(item, schema, problems));
}

function readItems<T extends z.ZodMiniType>(
  { value, place }: Item<unknown>,
  schema: T,
  problems: Problems,
): Item<z.output<T>>[] {
  if (!Array.isArray(value)) {
    problems.add(place, 'expected a list; begin each item with a dash');
    return [];
  }
  return value.flatMap((entry: unknown, index) => {
    const item = validate(schema, { value: entry, place: place.at(index) }, problems);
    return item === undefined ? [] : [item];
  });
}

/** One section whose keys may be spread over the sources. */
function readSection<T extends z.ZodMiniType>(
  roots: readonly Root[],
  key: string,
  schema: T,
  problems: Problems,
): Item<z.output<T>> | undefined {
  const parts = items(roots, key);
  const [first] = parts;
  if (first === undefined) return undefined;
  if (parts.length === 1) return validate(schema, first, problems);
  const merged: Record<string, unknown> = {};
  const places = new Map<string, Place>();
  for (const { value, place } of parts) {
    if (!isMap(value)) {
      problems.add(place, 'expected a map');
      continue;
    }
    for (const [name, entry] of Object.entries(value)) {
      const before = places.get(name);
      if (before !== undefined) reportTwice(problems, place.at(name), before);
      places.set(name, before ?? place.at(name));
      merged[name] = entry;
    }
  }
  const result = schema.safeParse(merged);
  for (const issue of result.error?.issues ?? []) {
    const step = issue.code === 'unrecognized_keys' ? issue.keys[0] : issue.path[0];
    const owner = places.get(String(step));
    const place = owner === undefined ? first.place : new Place(owner.source, owner.path.slice(0, -1));
    addIssues(problems, place, merged, [issue]);
  }
  return result.success ? { value: result.data, place: first.place } : undefined;
}

function sectionOrDefaults<T extends z.ZodMiniType>(
  roots: readonly Root[],
  key: string,
  schema: T,
  problems: Problems,
): Item<z.output<T>> {
  const place = roots[0]?.place ?? new Place({ file: '', locate: () => undefined }, []);
  return readSection(roots, key, schema, problems) ?? { value: z.parse(schema, {}), place };
}

function readAccess(roots: readonly Root[], problems: Problems) {
  const rules: Item<AccessRuleInput>[] = [];
  let isStrict = false;
  for (const item of items(roots, 'access')) {
    if (!isMap(item.value)) {
      rules.push(...readItems(item, accessRuleSchema, problems));
      continue;
    }
    const { rules: list, ...rest } = item.value;
    if (list !== undefined)
      rules.push(...readItems({ value: list, place: item.place.at('rules') }, accessRuleSchema, problems));
    const own = validate(accessSchema, { value: { ...rest, rules: [] }, place: item.place }, problems);
    isStrict ||= own?.value.strict ?? false;
  }
  return { rules, isStrict };
}

function validate<T extends z.ZodMiniType>(
  schema: T,
  { value, place }: Item<unknown>,
  problems: Problems,
): Item<z.output<T>> | undefined {
  const result = schema.safeParse(value);
  if (result.success) return { value: result.data, place };
  addIssues(problems, place, value, result.error.issues);
  // What is of no kind has keys that mean nothing: of the default kind they would be faults that nobody made.
  if (result.error.issues.some((issue) => issue.code === 'invalid_union' && 'discriminator' in issue))
    return undefined;
  // It is not used so: but what is right of it lets the rest be looked at too.
  const rest = schema.safeParse(withoutFaulty(value, result.error.issues));
  return rest.success ? { value: rest.data, place } : undefined;
}

function withoutFaulty(value: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  if (!isMap(value)) return undefined;
  const faulty = new Set(
    issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys' && issue.path.length === 0
        ? issue.keys
        : issue.path.slice(0, 1).map(String),
    ),
  );
  return Object.fromEntries(Object.entries(value).filter(([key]) => !faulty.has(key)));
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function keysOf({ value }: Item<unknown>): string[] {
  return isMap(value) ? Object.keys(value) : [];
}

function namesInList({ value }: Item<unknown>): string[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown) =>
    isMap(entry) && typeof entry['name'] === 'string' ? [entry['name']] : [],
  );
}
