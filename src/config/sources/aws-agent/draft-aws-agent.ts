// AWS's Secrets Manager agent in the shape of latchkey.yaml: its upstream, its listener, and the one rule that it has: whoever
// shows the token gets whatever its credentials may read.
import { resolve } from 'node:path';
import type { DraftContext } from '../draft.ts';
import { formatMs } from '../hcl/duration.ts';
import { type Origin, type Report, wholeFile } from '../hcl/report.ts';
import type { SaidAwsAgent } from './read-aws-agent.ts';

const usual = {
  address: '127.0.0.1',
  port: 2773,
  ttlSeconds: 300,
  cacheSize: 1000,
  prefix: '/v1/',
  headers: ['X-Aws-Parameters-Secrets-Token', 'X-Vault-Token'],
  variables: ['AWS_TOKEN', 'AWS_SESSION_TOKEN', 'AWS_CONTAINER_AUTHORIZATION_TOKEN'],
  connections: 800,
  tokenFile: '/var/run/awssmatoken',
  logFile: 'logs/secrets_manager_agent.log',
};

/** What many programs at once ask for is bounded by AWS alone there. */
const budget = { requests_per_second: 500, concurrency: 64 };

export function draftAwsAgent(said: SaidAwsAgent, context: DraftContext): void {
  const { draft, file } = context;
  const nowhere = wholeFile(file);
  if (said.enabled?.value === false) {
    context.report.problem(
      said.enabled.origin,
      'Secrets Manager is off in this file: it asks for nothing that is done here',
    );
    return;
  }
  const origin = said.region?.origin ?? nowhere;
  draft.set(['upstreams', 'aws', 'kind'], 'aws', nowhere);
  draft.set(['upstreams', 'aws', 'region'], said.region?.value, origin);
  const keys = said.credentialsFile;
  draft.set(
    ['upstreams', 'aws', 'credentials_file'],
    keys && resolve(context.folder, keys.value),
    keys?.origin ?? nowhere,
  );
  draft.set(['upstreams', 'aws', 'budget'], budget, nowhere);
  draftListener(said, context, nowhere);
  draftLog(said, context, nowhere);
  noteDifferences(said, context, nowhere);
}

function draftListener(said: SaidAwsAgent, context: DraftContext, nowhere: Origin): void {
  const { draft } = context;
  const path = draft.add(['listeners'], said.port?.origin ?? { ...nowhere, name: 'http_port' });
  const set = (key: string, value: unknown, origin: Origin = nowhere) =>
    draft.set([...path, key], value, origin);
  const address = `${said.address?.value ?? usual.address}:${said.port?.value ?? usual.port}`;
  set('tcp', address, said.address?.origin ?? said.port?.origin);
  set('serve', ['aws']);
  draftToken(said, context, set);
  set('token_headers', said.headers?.value ?? usual.headers, said.headers?.origin);
  set('max_connections', said.maxConnections?.value ?? usual.connections, said.maxConnections?.origin);
  const any = {
    upstream: 'aws',
    ttl: formatMs((said.ttlSeconds?.value ?? usual.ttlSeconds) * 1000),
    cache_size: said.cacheSize?.value ?? usual.cacheSize,
    serve_stale: said.ignoreTransientErrors?.value ?? true,
    path_prefix: said.pathPrefix?.value ?? usual.prefix,
  };
  set('aws', any, said.ttlSeconds?.origin);
  const rule = { name: 'whoever-shows-the-token', client: { token: 'listeners[0]' }, allow: ['*'] };
  draft.set(['access'], [rule], nowhere);
}

/** What a variable holds is taken; where none is set, the token is written to the file that their own script writes. */
function draftToken(
  { variables }: SaidAwsAgent,
  { env, report, file }: DraftContext,
  set: (key: string, value: unknown, origin?: Origin) => void,
): void {
  const names = variables?.value ?? usual.variables;
  if (names.some((name) => (env[name] ?? '') !== '')) {
    set('token_env', names, variables?.origin);
    return;
  }
  set('token_file', usual.tokenFile, variables?.origin);
  report.note(
    'differs',
    variables?.origin ?? wholeFile(file),
    `none of ${names.join(', ')} is set here: the agent writes a token to ${usual.tokenFile}; where one is set, say token_env: [${names.join(', ')}]`,
  );
}

function draftLog({ logLevel, logToFile }: SaidAwsAgent, context: DraftContext, nowhere: Origin): void {
  const { draft, report, folder } = context;
  const level = logLevel?.value;
  draft.set(['log', 'level'], level === 'none' ? 'error' : level, logLevel?.origin ?? nowhere);
  if (logToFile?.value === true) {
    draft.set(['log', 'file'], resolve(folder, usual.logFile), logToFile.origin);
    report.note(
      'differs',
      logToFile.origin,
      `make the folder of ${usual.logFile}: the agent makes none for its log`,
    );
  } else if (logToFile === undefined)
    report.note(
      'differs',
      nowhere,
      `the log goes to stderr, not to ${usual.logFile}, unless log_to_file is set`,
    );
}

function noteDifferences(said: SaidAwsAgent, { report }: DraftContext, nowhere: Origin): void {
  const { validateCredentials, pathPrefix } = said;
  noteWhatIsNotDone(said, report);
  if (validateCredentials?.value !== false) {
    report.note(
      'differs',
      validateCredentials?.origin ?? nowhere,
      'credentials that AWS does not accept do not end the agent: the log and `latchkey status` tell, and they are looked up again; `latchkey validate --online` asks AWS beforehand',
    );
  }
  report.note(
    'advice',
    pathPrefix?.origin ?? nowhere,
    'whoever shows the token may have every secret that the credentials allow: narrow the rule in `access`, or serve on a unix socket, where the agent sees who asks',
  );
}

/** What the newer one does besides: secrets before somebody asks, roles by request, certificates. */
function noteWhatIsNotDone(said: SaidAwsAgent, report: Report): void {
  const ahead = said.prefetchedSecrets ?? said.prefetchedTags ?? said.bufferRatio ?? said.jitterSeconds;
  if (ahead !== undefined)
    report.note(
      'differs',
      ahead.origin,
      'nothing is fetched ahead: a secret is asked for when somebody wants it; one with a name under `secrets` (or a `tag` there) is kept current all the time',
    );
  if (said.maxRoles !== undefined)
    report.note(
      'ignored',
      said.maxRoles.origin,
      'roleArn in a request is refused: name each role as `role_arn` of an upstream',
    );
  if (said.certificates !== undefined)
    report.note(
      'ignored',
      said.certificates,
      'certificates of ACM are not taken over: leave them to the provider, whose `acm` is a process of its own',
    );
}
