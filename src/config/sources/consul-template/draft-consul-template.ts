// consul-template in the shape of latchkey.yaml, with its defaults.

import { resolve } from 'node:path';
import type { DraftContext } from '../draft.ts';
import {
  draftCommonLife,
  draftProgram,
  draftTemplateSettings,
  draftVaultClient,
  said,
} from './draft-common.ts';
import { draftTemplate } from './draft-template.ts';
import type { SaidConsulTemplate } from './said-consul-template.ts';

export function draftConsulTemplate(agent: SaidConsulTemplate, context: DraftContext, isOnce: boolean): void {
  const { draft, report, folder } = context;
  draftVaultClient(agent.vault, context);
  const defaults = {
    folder,
    wait: agent.wait,
    leftDelimiter: said(agent.leftDelimiter)?.value,
    rightDelimiter: said(agent.rightDelimiter)?.value,
  };
  for (const template of agent.templates) draftTemplate(template, draft, defaults, report);
  draftTemplateSettings(agent, context);
  draftSandbox(agent, context);
  const program = draftProgram(agent.exec, undefined, false, context);
  if (program !== undefined && !isOnce) draftReload(agent, context);
  draftCommonLife(agent, agent.logFile, context, 'consul-template');
}

/** The program hears of every file that changed: by its signal, or by being started again. */
function draftReload({ exec }: SaidConsulTemplate, { draft }: DraftContext): void {
  const reload = said(exec?.reloadSignal);
  const told =
    reload === undefined
      ? { process: 'exec', action: 'restart' }
      : { process: 'exec', signal: reload.value.replace(/^SIG/, '') };
  for (let index = 0; index < draft.lists('files'); index++) {
    draft.append(['files', index, 'notify'], told, reload?.origin ?? exec?.origin);
  }
}

function draftSandbox({ templates }: SaidConsulTemplate, context: DraftContext): void {
  const { draft, folder } = context;
  const [first] = templates;
  if (first === undefined) return;
  const sandboxes = templates.map(({ sandboxPath }) => said(sandboxPath)?.value);
  const paths = sandboxes.every((path) => path !== undefined)
    ? [...new Set(sandboxes.map((path) => resolve(folder, path ?? '')))]
    : ['/'];
  draft.set(['template', 'sandbox_paths'], paths, first.sandboxPath?.origin ?? first.origin);
  const denied = [...new Set(templates.flatMap(({ deniedFunctions }) => deniedFunctions?.value ?? []))];
  if (denied.length > 0) draft.set(['template', 'deny_functions'], denied, first.origin);
}
