// GetParameter of Systems Manager as the Lambda extension answers it: `stripe`, `/stripe`, or `/stripe/key` for one field.
import { shownVersion } from '../../store/secret-version.ts';
import type { AgentView } from '../agent-view.ts';
import type { Exchange } from '../http/exchange.ts';
import { type AwsAnswers, parametersOf } from './aws-answers.ts';
import type { AwsFault } from './aws-fault.ts';
import { parameterValue, type StagedVersion } from './aws-secret.ts';

/** Answers, or returns why not. */
export function getParameter(exchange: Exchange, view: AgentView, answers: AwsAnswers): AwsFault | undefined {
  const query = parametersOf(exchange.query, ['name', 'version', 'label', 'withDecryption']);
  if ('status' in query) return query;
  const asked = query.get('name') ?? '';
  if (asked === '') return { status: 400, text: 'missing parameter name' };
  const { name, field, rest } = parameterNamed(view, asked);
  if (!answers.admits(exchange, name, field)) return undefined;
  const found = answers.versionsOf(name);
  if ('status' in found && found.status === 503) return found;
  const meant = 'status' in found || rest.length > 0 ? undefined : versionMeant(query, found.staged);
  const value = meant && parameterValue(asked, meant.version, field);
  if (meant === undefined || value === undefined || 'status' in found) {
    return { status: 400, type: 'ParameterNotFound', message: `no parameter ${asked}` };
  }
  answers.deliver(exchange, { name, field, entry: found.entry, version: meant.version, make: () => value });
  return undefined;
}

/** The longest start of the path that is an alias, and then a field; else the first segment is the name. */
function parameterNamed(
  { names }: AgentView,
  asked: string,
): { name: string; field: string | undefined; rest: string[] } {
  const cut = asked.lastIndexOf('/');
  for (const [alias, field] of [[asked], [asked.slice(0, Math.max(cut, 0)), asked.slice(cut + 1)]] as const) {
    const name = names.nameOf(alias);
    if (name !== alias) return { name, field, rest: [] };
  }
  const [name = '', field, ...rest] = asked.replace(/^\//, '').split('/');
  return { name, field, rest };
}

/** By `version` and `label`; the current one where neither is said. */
function versionMeant(query: URLSearchParams, staged: readonly StagedVersion[]): StagedVersion | undefined {
  const [label, version] = [query.get('label'), query.get('version')];
  if (label !== null && label !== 'AWSCURRENT' && label !== 'AWSPREVIOUS') return undefined;
  return staged.find(
    (one) =>
      (version === null || version === String(shownVersion(one.version))) &&
      (label ?? (version === null ? 'AWSCURRENT' : one.stage)) === one.stage,
  );
}
