// envconsul in the shape of latchkey.yaml: one program, and the fields of secrets as its variables.
import {
  checkFormat,
  draftCommonLife,
  draftProgram,
  draftTemplateSettings,
  draftVaultClient,
} from '../consul-template/draft-common.ts';
import type { DraftContext } from '../draft.ts';
import { wholeFile } from '../hcl/report.ts';
import type { SaidEnvconsul, SaidPrefix } from './read-envconsul.ts';

/** What the command line says beside. */
export interface EnvconsulOptions {
  readonly command?: readonly string[] | undefined;
  readonly isOnce?: boolean;
  readonly isCommandLine?: boolean;
  /** What has no counterpart is left out and told of. */
  readonly isMigration?: boolean | undefined;
}

export function draftEnvconsul(
  agent: SaidEnvconsul,
  { command, isOnce = false, isCommandLine = false, isMigration = false }: EnvconsulOptions,
  context: DraftContext,
): void {
  const { report } = context;
  draftVaultClient(agent.vault, context);
  draftTemplateSettings(agent, context);
  for (const origin of [...agent.prefixes.map((prefix) => prefix.origin), ...agent.services]) {
    const message = 'needs Consul, which is not asked here; keep these values in the vault';
    if (isMigration) report.note('ignored', origin, message);
    else report.problem(origin, message);
  }
  const path = draftProgram(agent.exec, command, agent.pristine?.value === true, context);
  if (path === undefined) {
    const origin = agent.exec?.origin ?? wholeFile(context.file);
    const message = 'expected a command: in a block exec, or on the command line';
    // A file alone may be waiting for its command line.
    if (isCommandLine) report.problem(origin, message);
    else
      report.note(
        'differs',
        origin,
        'runs the program of the command line: latchkey envconsul -config FILE CMD',
      );
  }
  if (path !== undefined && isOnce)
    context.draft.set([...path, 'on_rotation'], 'none', wholeFile(context.file));
  if (path !== undefined)
    for (const secret of agent.secrets) draftSecret(secret, agent, [...path, 'env_from'], context);
  draftCommonLife(agent, undefined, context, 'envconsul');
}

function draftSecret(
  secret: SaidPrefix,
  agent: SaidEnvconsul,
  list: readonly (string | number)[],
  { draft, report }: DraftContext,
): void {
  const { path: said, origin } = secret;
  if (said === undefined || said.value === '') {
    report.problem(origin, 'expected path: that of the secret');
    return;
  }
  const item = draft.add(list, origin);
  const set = (key: string, value: unknown, at = origin) => draft.set([...item, key], value, at);
  const path = said.value.replace(/^\/+/, '');
  set('path', path, said.origin);
  if (secret.noPrefix?.value !== true)
    set('prefix', `${path.replace(/[^A-Za-z0-9_]/g, '_')}_`, secret.noPrefix?.origin);
  set('format', secret.format?.value || undefined, secret.format?.origin);
  checkFormat(secret.format, report);
  if (agent.sanitize?.value === true) set('sanitize', true, agent.sanitize.origin);
  if (agent.upcase?.value === true) set('upper_case', true, agent.upcase.origin);
  if (secret.keys.length === 0 || secret.format?.value) return;
  const only: Record<string, string[]> = {};
  for (const { name, format } of secret.keys)
    only[name] = [...(only[name] ?? []), ...(format ? [format] : [])];
  set('only', only);
}
