// consul-template in the shape of latchkey.yaml, with its defaults.
import type { DraftContext } from '../draft.ts';
import { unlessEmpty } from '../hcl/block.ts';
import { draftCommonLife, draftProgram, draftTemplateSettings, draftVaultClient } from './draft-common.ts';
import { draftSandbox, draftTemplate } from './draft-template.ts';
import type { SaidConsulTemplate } from './read-consul-template.ts';

export function draftConsulTemplate(agent: SaidConsulTemplate, context: DraftContext, isOnce: boolean): void {
  const { draft, report, folder } = context;
  draftVaultClient(agent.vault, context);
  const defaults = {
    folder,
    wait: agent.wait,
    leftDelimiter: unlessEmpty(agent.leftDelimiter)?.value,
    rightDelimiter: unlessEmpty(agent.rightDelimiter)?.value,
  };
  for (const template of agent.templates) draftTemplate(template, draft, defaults, report);
  draftTemplateSettings(agent, context);
  const [first] = agent.templates;
  if (first !== undefined) draftSandbox(agent.templates, first.origin, context);
  const program = draftProgram(agent.exec, undefined, false, context);
  if (program !== undefined && !isOnce) draftReload(agent, context);
  draftCommonLife(agent, agent.logFile, context, 'consul-template');
}

/** The program hears of every file that changed: by its signal, or by being started again. */
function draftReload({ exec }: SaidConsulTemplate, { draft }: DraftContext): void {
  const reload = unlessEmpty(exec?.reloadSignal);
  const told =
    reload === undefined
      ? { process: 'exec', action: 'restart' }
      : { process: 'exec', signal: reload.value.replace(/^SIG/, '') };
  for (let index = 0; index < draft.lists('files'); index++) {
    draft.append(['files', index, 'notify'], told, reload?.origin ?? exec?.origin);
  }
}
