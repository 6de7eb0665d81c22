// The environment of each supervised process as one consumer of the store: its variables are executed together, so that
// a child sees them all of one moment.

import { createHash } from 'node:crypto';
import { codeAndMessage, describeError, type ErrorCode, LatchkeyError } from '../base/errors.ts';
import { SecretValue } from '../base/secret-value.ts';
import { createChangePoint } from '../base/time/until.ts';
import type { ProcessConfig, VariableConfig } from '../config/resolved.ts';
import type { Store } from '../store/store.ts';
import type { Dependency } from '../template/exec/lookup.ts';
import type { ConsumerIndex } from './consumer-index.ts';
import type { EnvironmentSource, Variables } from './environment-source.ts';
import { compileFields, type FieldVariables } from './field-variables.ts';
import type { ResolveDependency } from './resolve-dependency.ts';
import type { TemplateCompiler } from './template-compiler.ts';
import {
  createTemplateConsumer,
  type ExecutableTemplate,
  type Execution,
  type SecretOverride,
  type TemplateConsumer,
} from './template-consumer.ts';

export interface ProcessEnvironments {
  /** Parses its templates, by the rules of this compiler. What it gives begins to ask for their secrets when called. */
  prepare(config: ProcessConfig, templates: TemplateCompiler): Promise<() => EnvironmentSource>;
  /** What the variables of every process that uses this entry would be with other secrets in their place. */
  rehearse(key: string, override: SecretOverride): RehearsedEnvironment[];
  close(): void;
}

export interface RehearsedEnvironment {
  readonly config: ProcessConfig;
  /** Undefined while it waits for values. */
  readonly before: Variables | undefined;
  readonly after: Variables | undefined;
  /** Why there is no `after`. */
  readonly failure: string | undefined;
}

interface EnvironmentOptions {
  store: Store;
  index: ConsumerIndex;
  resolve: ResolveDependency;
}

export function createProcessEnvironments(options: EnvironmentOptions): ProcessEnvironments {
  const open = new Map<OpenSource, ProcessConfig>();
  return {
    async prepare(config, templates) {
      const variables = await compileVariables(config, templates);
      return () => {
        const source = createSource(config, variables, options);
        open.set(source, config);
        return {
          ...source,
          close() {
            open.delete(source);
            source.close();
          },
        };
      };
    },
    rehearse: (key, override) =>
      [...open]
        .filter(([source]) => source.keys().includes(key))
        .map(([source, config]) => ({ config, before: source.current(), ...source.rehearse(override) })),
    close() {
      for (const source of open.keys()) source.close();
      open.clear();
    },
  };
}

interface OpenSource extends EnvironmentSource {
  keys(): readonly string[];
  rehearse(override: SecretOverride): Pick<RehearsedEnvironment, 'after' | 'failure'>;
}

interface VariableTemplates {
  readonly fields: readonly FieldVariables[];
  readonly named: ReadonlyMap<string, ExecutableTemplate>;
}

async function compileVariables(
  config: ProcessConfig,
  templates: TemplateCompiler,
): Promise<VariableTemplates> {
  const variables = new Map<string, ExecutableTemplate>();
  for (const [name, wish] of Object.entries(config.env)) {
    const place = `processes.${config.name}.env.${name}`;
    variables.set(name, await templates.compileText({ name: place, ...variableText(wish) }));
  }
  const fields: FieldVariables[] = [];
  for (const [index, from] of config.envFrom.entries()) {
    const place = `processes.${config.name}.env_from[${index}]`;
    fields.push(await compileFields(from, place, templates));
  }
  return { fields, named: variables };
}

function createSource(
  config: ProcessConfig,
  variables: VariableTemplates,
  options: EnvironmentOptions,
): OpenSource {
  const { store, index, resolve } = options;
  const changed = createChangePoint();
  const values = new Map<string, SecretValue>();
  let execution: Execution | undefined;
  let failure: { readonly code: ErrorCode; readonly message: string } | undefined;
  let shown: string | undefined;

  const consumer: TemplateConsumer = createTemplateConsumer({
    id: `process:${config.name}`,
    template: joinTemplates(variables, values),
    store,
    index,
    resolve,
    upstream: config.upstream,
    onChange: () => queueMicrotask(update),
  });

  function update(): void {
    const before = failure?.message;
    try {
      execution = consumer.execute();
      failure = undefined;
    } catch (error) {
      execution = undefined;
      failure = codeAndMessage(error);
    }
    const text = isComplete() ? fingerprint(values) : undefined;
    if (text === shown && failure?.message === before) {
      // Other versions with the same values: whoever runs with them is current.
      if (text !== undefined && execution !== undefined && holds) consumer.hold(execution, 'settled');
      return;
    }
    shown = text;
    changed.tell();
  }
  let holds = false;

  function isComplete(): boolean {
    return execution !== undefined && execution.missing.length === 0;
  }

  update();
  return {
    current: () => (isComplete() ? new Map(values) : undefined),
    missing: () =>
      failure === undefined
        ? consumer
            .missing()
            .map(({ key, name, reason, message }) => ({ key, name, reason: message ?? reason }))
        : [{ key: '', name: `processes.${config.name}.env`, reason: failure.message, code: failure.code }],
    onChange: changed.changes,
    hold() {
      holds = true;
      if (execution !== undefined) consumer.hold(execution, 'settled');
    },
    keys: () => consumer.keys(),
    rehearse(override) {
      const before = new Map(values);
      try {
        const { missing } = consumer.rehearse(override);
        const [first] = missing;
        if (first === undefined) return { after: new Map(values), failure: undefined };
        return { after: undefined, failure: `it waits for ${first.name}` };
      } catch (error) {
        return { after: undefined, failure: describeError(error) };
      } finally {
        values.clear();
        for (const [name, value] of before) values.set(name, value);
      }
    },
    close: () => consumer.close(),
  };
}

/** Executes all variables as if they were one template; leaves their values in `values`. */
function joinTemplates(
  { fields, named }: VariableTemplates,
  values: Map<string, SecretValue>,
): ExecutableTemplate {
  return {
    execute(lookup) {
      const missing: Dependency[] = [];
      values.clear();
      for (const one of fields) {
        const result = one.execute(lookup);
        missing.push(...result.missing);
        for (const [name, text] of result.variables) setValue(name, Buffer.from(text, 'utf8'));
      }
      for (const [name, template] of named) {
        const result = template.execute(lookup);
        missing.push(...result.missing);
        setValue(name, result.output);
      }
      return { output: Buffer.alloc(0), missing, writes: [] };
    },
  };

  function setValue(name: string, bytes: Buffer): void {
    if (bytes.includes(0)) {
      throw new LatchkeyError('template_failed', `${name}: an environment variable cannot hold a NUL byte`);
    }
    values.set(name, SecretValue.fromBytes(bytes));
  }
}

/** What the compiler of templates takes. */
export function variableText(wish: string | VariableConfig) {
  if (typeof wish === 'string') return { text: wish };
  const { template: text, leftDelimiter, rightDelimiter, errorOnMissingKey } = wish;
  return { text, leftDelimiter, rightDelimiter, errorOnMissingKey };
}

/** Equal for equal values; holds none of them. */
function fingerprint(values: ReadonlyMap<string, SecretValue>): string {
  const hash = createHash('sha256');
  for (const [name, value] of values) hash.update(`${name}\0`).update(value.bytes()).update('\0');
  return hash.digest('base64');
}
