// All fields of a secret as variables: their names as the config makes them, their values as text.
import { LatchkeyError } from '../base/errors.ts';
import { isJsonObject, JsonNumber, type JsonObject, type JsonValue, parseJson } from '../base/text/json.ts';
import { compileNameFormat } from '../config/name-format.ts';
import type { EnvFromConfig } from '../config/resolved.ts';
import type { Dependency, Lookup } from '../template/exec/lookup.ts';
import type { TemplateCompiler } from './template-compiler.ts';

export interface FieldVariables {
  execute(lookup: Lookup): {
    readonly variables: ReadonlyMap<string, string>;
    readonly missing: readonly Dependency[];
  };
}

/** `place` is where the config says it. */
export async function compileFields(
  config: EnvFromConfig,
  place: string,
  templates: TemplateCompiler,
): Promise<FieldVariables> {
  const template = await templates.compileText({ name: place, text: config.template });
  return {
    execute(lookup) {
      const { output, missing } = template.execute(lookup);
      const variables = new Map<string, string>();
      if (missing.length > 0) return { variables, missing };
      for (const [field, value] of Object.entries(fieldsIn(output, config.name))) {
        const text = plainText(value);
        if (text !== undefined) for (const name of namesOf(field, config)) variables.set(name, text);
      }
      return { variables, missing };
    },
  };
}

/** None for a field that is not wanted. */
function namesOf(field: string, config: EnvFromConfig): string[] {
  if (field.trim() === '' || (config.only !== undefined && !Object.hasOwn(config.only, field))) return [];
  const own = config.only?.[field] ?? [];
  const starts = own.length === 0 ? [field] : own.map((format) => formatted(format, field));
  return starts.map((start) => {
    const name = formatted(config.format, `${config.prefix}${start}`);
    const clean = config.isSanitized ? name.replace(/[^A-Za-z0-9_]/g, '_') : name;
    return config.isUpperCase ? clean.toUpperCase() : clean;
  });
}

function formatted(format: string | undefined, name: string): string {
  return format === undefined ? name : (compileNameFormat(format)?.(name) ?? format);
}

function fieldsIn(output: Buffer, name: string): JsonObject {
  const value = parsed(output);
  if (isJsonObject(value)) return value;
  throw new LatchkeyError('template_failed', `${name}: the secret has no fields that could be variables`);
}

function parsed(output: Buffer): JsonValue {
  try {
    return parseJson(output.toString('utf8'));
  } catch {
    // Its error would quote the secret.
    return null;
  }
}

/** What has parts is no variable. */
function plainText(value: JsonValue): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  return value instanceof JsonNumber ? value.text : undefined;
}
