// What loading a config cannot tell: whether every template can be parsed, and every upstream built. Asks nobody.
import { existsSync } from 'node:fs';
import { createSystemClock } from '../base/clock.ts';
import { describeError } from '../base/errors.ts';
import type { ResolvedConfig } from '../config/resolved.ts';
import { variableText } from '../content/process-environment.ts';
import { createTemplateCompiler } from '../content/template-compiler.ts';
import { loadTemplate } from '../content/template-loader.ts';
import { loadKinds } from '../upstream/kinds.ts';

/** One line for each problem; empty when there is none. Of a config for another host, templates may be missing here. */
export async function validateParts(config: ResolvedConfig, { isElsewhere = false } = {}): Promise<string[]> {
  const compiler = createTemplateCompiler({
    templates: config.templates,
    env: process.env,
    clock: createSystemClock(),
    isStrict: true,
  });
  const checks: Promise<unknown>[] = [
    loadKinds(config.upstreams),
    ...config.files
      .filter(({ source }) => !isElsewhere || source.kind !== 'file' || existsSync(source.path))
      .map((file) => loadTemplate(file, compiler.compile)),
    ...config.processes.flatMap((process) =>
      Object.entries(process.env).map(([variable, wish]) => {
        const place = `processes.${process.name}.env.${variable}`;
        return compiler.compileText({ name: place, place, ...variableText(wish) });
      }),
    ),
  ];
  const outcomes = await Promise.allSettled(checks);
  return outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? describeError(outcome.reason).split('\n') : [],
  );
}
