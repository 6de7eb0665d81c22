// GetSecretValue as the Secrets Manager agent answers it: of a secret of the config by name, alias or ARN, or of any that AWS
// has where the listener serves those.
import type { AwsSecretQuery } from '../../base/aws-secret-query.ts';
import type { AnySecretConfig } from '../../config/resolved.ts';
import type { AgentView } from '../agent-view.ts';
import type { Exchange } from '../http/exchange.ts';
import type { PreparedAnswer } from '../http/prepared-answer.ts';
import type { ServerContext } from '../http/server-context.ts';
import { type AwsAnswers, missing, parametersOf } from './aws-answers.ts';
import { createAnySecrets } from './aws-any-secret.ts';
import type { AwsFault } from './aws-fault.ts';
import { arnOf, nameOfId, type StagedVersion, secretValue, versionIdOf } from './aws-secret.ts';

interface SecretQuery extends AwsSecretQuery {
  readonly refreshNow: boolean;
}

const refreshLimitMs = 30_000;

/** Answers, or returns why not. `id`: from the path; absent: the parameter `secretId` tells it. */
export function createGetSecretValue(
  { view, clock }: ServerContext,
  answers: AwsAnswers,
): (exchange: Exchange, id?: string) => Promise<AwsFault | undefined> {
  const anySecrets = createAnySecrets({ view, clock });

  async function getNamed(exchange: Exchange, query: SecretQuery): Promise<AwsFault | undefined> {
    const { name, shown, arn } = secretNamed(view, query.secretId);
    const { anySecret } = exchange.connection.scope.config;
    if (anySecret !== undefined && view.names.find(name) === undefined)
      return await getUnnamed(exchange, query, anySecret);
    if (!answers.admits(exchange, name)) return undefined;
    if (query.refreshNow) {
      await exchange.recordForward();
      const [result] = await view.refresh([name], AbortSignal.timeout(refreshLimitMs));
      if (!answers.admits(exchange, name)) return undefined;
      if (result?.error !== undefined && result.error.code !== 'not_found') {
        const { message } = result.error;
        return { status: 502, type: 'InternalServiceError', message };
      }
    }
    const found = answers.versionsOf(name);
    if ('status' in found) return found;
    const { entry } = found;
    const meant = found.staged.find((one) => isMeant(query, one, versionIdOf(entry, one.version)));
    if (meant === undefined) return noVersion(query);
    const make = (): object => secretValue({ name: shown, arn }, entry, meant);
    answers.deliver(exchange, { name, entry, version: meant.version, make }, !query.refreshNow);
    return undefined;
  }

  /** The rules speak of its id, as it was asked by. */
  async function getUnnamed(
    exchange: Exchange,
    query: SecretQuery,
    config: AnySecretConfig,
  ): Promise<AwsFault | undefined> {
    if (!answers.admits(exchange, query.secretId)) return undefined;
    const keptAnswer = anySecrets.keptOf(config, query);
    let found: PreparedAnswer | AwsFault | undefined = query.refreshNow ? undefined : keptAnswer();
    if (found === undefined) {
      await exchange.recordForward();
      found = await anySecrets.find(config, query, query.refreshNow);
    }
    // The rules may be others by now.
    if (!answers.admits(exchange, query.secretId)) return undefined;
    if ('status' in found) return found;
    exchange.answerPrepared(found);
    if (!query.refreshNow)
      answers.keep(exchange, { name: query.secretId, answer: keptAnswer, weight: found.wire.length });
    return undefined;
  }

  return async (exchange, id) => {
    const query = secretQuery(exchange.query, id);
    return 'status' in query ? query : await getNamed(exchange, query);
  };
}

/** An alias as it is, also behind the suffix of six characters that AWS gives an ARN; else a name or our own ARN. */
function secretNamed({ names }: AgentView, id: string): { name: string; shown: string; arn: string } {
  const isArn = id.startsWith('arn:');
  const alias = [id, isArn ? id.replace(/-[A-Za-z0-9]{6}$/, '') : id].find(
    (one) => names.nameOf(one) !== one,
  );
  if (alias === undefined) {
    const name = nameOfId(id);
    return { name, shown: name, arn: arnOf(name) };
  }
  const shown = isArn ? alias.replace(/^(?:[^:]*:){6}/, '').replace(/-[A-Za-z0-9]{6}$/, '') : alias;
  return { name: names.nameOf(alias), shown, arn: isArn ? id : arnOf(alias) };
}

function secretQuery(text: string, id: string | undefined): SecretQuery | AwsFault {
  const known = ['versionId', 'versionStage', 'refreshNow'];
  const query = parametersOf(text, id === undefined ? ['secretId', ...known] : known);
  if ('status' in query) return query;
  const secretId = id ?? query.get('secretId') ?? '';
  if (secretId === '')
    return { status: 400, text: `missing ${id === undefined ? 'parameter secretId' : 'secret ID'}` };
  const refresh = query.get('refreshNow')?.toLowerCase() ?? 'false';
  if (!['true', '1', 'false', '0'].includes(refresh))
    return { status: 400, text: 'invalid refreshNow value' };
  return {
    secretId,
    versionId: query.get('versionId') ?? undefined,
    versionStage: query.get('versionStage') ?? undefined,
    refreshNow: refresh === 'true' || refresh === '1',
  };
}

/** The current one where neither id nor stage is said. */
function isMeant({ versionId, versionStage }: SecretQuery, { stage }: StagedVersion, id: string): boolean {
  if (versionId !== undefined && versionId !== id) return false;
  return (versionStage ?? (versionId === undefined ? 'AWSCURRENT' : stage)) === stage;
}

function noVersion({ versionId, versionStage }: SecretQuery): AwsFault {
  const what = versionId === undefined ? `staging label: ${versionStage}` : `VersionId: ${versionId}`;
  return missing(`Secrets Manager can't find the specified secret value for ${what}`);
}
