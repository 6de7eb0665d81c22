// Executes a template text against plain data, for tests of the engine.
import type { JsonObject } from '../../src/base/text/json.ts';
import type { Host } from '../../src/template/exec/function-table.ts';
import type { Dependency, LookupAnswer, LookupSecret } from '../../src/template/exec/lookup.ts';
import { type ExecuteOptions, type Execution, parseTemplate } from '../../src/template/template.ts';
import { TemplateError } from '../../src/template/template-error.ts';

export const emptyHost: Host = { env: () => undefined, now: () => new Date(0) };

export function secretOf(data: JsonObject | null): LookupSecret {
  const base = { requestId: '', leaseId: '', leaseDurationSeconds: 0, isRenewable: false };
  return { ...base, data, warnings: null, auth: null, wrapInfo: null, fields: data ?? {} };
}

/** Answers reads from `secrets` by path; everything else is pending. */
export function lookupIn(
  secrets: Readonly<Record<string, JsonObject>>,
): (dependency: Dependency) => LookupAnswer {
  const known = new Map(Object.entries(secrets).map(([path, data]) => [path, secretOf(data)]));
  return ({ path }) => {
    const secret = known.get(path);
    return secret === undefined ? { status: 'pending' } : { status: 'ready', secret };
  };
}

export async function execute(
  text: string | Buffer,
  options: Partial<ExecuteOptions> = {},
): Promise<Execution> {
  const template = await parseTemplate({ name: 'app.ctmpl', text });
  return template.execute({ lookup: lookupIn({}), host: emptyHost, ...options });
}

/** The output as text, or the error. Anything but a TemplateError is thrown on. */
export async function outcome(
  text: string | Buffer,
  options: Partial<ExecuteOptions> = {},
): Promise<string | TemplateError> {
  try {
    return (await execute(text, options)).output.toString();
  } catch (error) {
    if (error instanceof TemplateError) return error;
    throw error;
  }
}

/** The error that the template must end with. */
export async function failureOf(
  text: string | Buffer,
  options: Partial<ExecuteOptions> = {},
): Promise<TemplateError> {
  const result = await outcome(text, options);
  if (typeof result === 'string') throw new Error(`expected an error, got ${JSON.stringify(result)}`);
  return result;
}
