// Parses every template of a config and says what is wrong with each; asks no upstream.
import { createSystemClock } from '../base/clock.ts';
import { describeError } from '../base/errors.ts';
import type { ResolvedConfig } from '../config/resolved.ts';
import { createTemplateCompiler } from '../render/template-compiler.ts';
import { loadTemplate } from '../render/template-loader.ts';

/** One line for each template that cannot be used; empty when all can. */
export async function validateTemplates(config: ResolvedConfig): Promise<string[]> {
  const compiler = createTemplateCompiler({
    templates: config.templates,
    env: process.env,
    clock: createSystemClock(),
  });
  const checks = [
    ...config.files.map((file) => loadTemplate(file, compiler.compile)),
    ...config.processes.flatMap((process) =>
      Object.entries(process.env).map(([variable, text]) => {
        const place = `processes.${process.name}.env.${variable}`;
        return compiler.compileText({ name: place, place, text });
      }),
    ),
  ];
  const outcomes = await Promise.allSettled(checks);
  return outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [describeError(outcome.reason)] : [],
  );
}
