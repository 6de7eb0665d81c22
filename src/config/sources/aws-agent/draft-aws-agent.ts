// AWS's Secrets Manager agent in the shape of latchkey.yaml: its upstream and its listener. It serves whatever its credentials
// may read; here what is served has a name.
import type { DraftContext } from '../draft.ts';
import type { Origin } from '../hcl/report.ts';
import type { SaidAwsAgent } from './read-aws-agent.ts';

const usual = {
  address: '127.0.0.1',
  port: 2773,
  prefix: '/v1/',
  headers: ['X-Aws-Parameters-Secrets-Token', 'X-Vault-Token'],
  variables: ['AWS_TOKEN', 'AWS_SESSION_TOKEN', 'AWS_CONTAINER_AUTHORIZATION_TOKEN'],
  tokenFile: '/var/run/awssmatoken',
};

export function draftAwsAgent(said: SaidAwsAgent, context: DraftContext): void {
  const { draft, report, file } = context;
  const nowhere: Origin = { file, position: undefined, name: '' };
  draft.set(['upstreams', 'aws', 'kind'], 'aws', nowhere);
  draft.set(['upstreams', 'aws', 'region'], said.region?.value, said.region?.origin ?? nowhere);
  const path = draft.add(['listeners'], said.port?.origin ?? nowhere);
  const set = (key: string, value: unknown, origin: Origin = nowhere) =>
    draft.set([...path, key], value, origin);
  set(
    'tcp',
    `${said.address?.value ?? usual.address}:${said.port?.value ?? usual.port}`,
    said.address?.origin ?? said.port?.origin,
  );
  set('serve', ['aws']);
  set('token_file', tokenFile(said, context), said.variables?.origin);
  set('max_connections', said.maxConnections?.value, said.maxConnections?.origin);
  const level = said.logLevel?.value;
  draft.set(['log', 'level'], level === 'none' ? 'error' : level, said.logLevel?.origin ?? nowhere);
  if (said.ttlSeconds !== undefined) {
    report.note(
      'differs',
      said.ttlSeconds.origin,
      `say refresh: ${said.ttlSeconds.value}s with each secret; a secret is asked for before somebody wants it, every 30 s`,
    );
  }
  if (said.pathPrefix !== undefined && said.pathPrefix.value !== usual.prefix) {
    report.note(
      'ignored',
      said.pathPrefix.origin,
      'is ignored: secrets are asked for at /secretsmanager/get',
    );
  }
  if (
    said.headers?.value.some(
      (header) => !usual.headers.some((other) => other.toLowerCase() === header.toLowerCase()),
    ) === true
  ) {
    report.note(
      'ignored',
      said.headers.origin,
      `is ignored: the token is taken from ${usual.headers.join(', ')} or Authorization`,
    );
  }
  for (const origin of said.others) report.note('ignored', origin, 'has nothing to do here');
  report.note(
    'advice',
    nowhere,
    'name under `secrets` what programs ask for: there is no way to a secret that has no name here',
  );
}

/** `AWS_TOKEN=file:///var/run/awssmatoken` is where its token is; ours is written there. */
function tokenFile({ variables }: SaidAwsAgent, { env, report, file }: DraftContext): string {
  const names = variables?.value ?? usual.variables;
  const value = names.map((name) => env[name]).find((text) => text !== undefined && text !== '');
  if (value === undefined) return usual.tokenFile;
  if (value.startsWith('file://')) return value.slice('file://'.length);
  const origin = variables?.origin ?? { file, position: undefined, name: '' };
  report.note(
    'differs',
    origin,
    `the token of the environment is not taken over: the agent writes one of its own to ${usual.tokenFile}`,
  );
  return usual.tokenFile;
}
