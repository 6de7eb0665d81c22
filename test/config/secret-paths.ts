// What a path can never mean at the kind of its upstream is told with its place in the config, and nobody is asked.
import t from 'tap';
import { loadConfigText } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problems.ts';

const upstreams = [
  'aws: { kind: aws }',
  'op: { kind: onepassword, address: "http://connect:8080" }',
  'azure: { kind: azure, vault: "https://x.vault.azure.net" }',
  'gcp: { kind: gcp, project: p }',
  'gcp-any: { kind: gcp }',
  'k8s: { kind: kubernetes }',
  'folder: { kind: file, path: /run/secrets, format: folder }',
  'env: { kind: env }',
  'app-env: { kind: env, prefix: APP_ }',
  'bao: { address: "https://vault:8200" }',
  'web: { kind: http, url: "https://web/{path}?stage={stage}" }',
];

function problemsOf(upstream: string, path: string, more = ''): string[] {
  const secret = `  x: { upstream: ${upstream}, path: ${JSON.stringify(path)}${more} }`;
  try {
    loadConfigText('/c.yaml', `upstreams: { ${upstreams.join(', ')} }\nsecrets:\n${secret}\n`, {
      env: {},
      checks: 'none',
    });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n');
  }
  return [];
}

const wrong: readonly [upstream: string, path: string, message: RegExp][] = [
  ['aws', 'secretmanager:app/db', /expected secretsmanager:NAME, ssm:\/NAME, sts:ROLE_ARN or an ARN$/],
  ['aws', 'secretsmanager:', /expected a name after the colon$/],
  ['aws', 'ssm:/app/a b', /expected ssm:\/NAME, of letters/],
  ['aws', 'sts:arn:aws:iam::1:user/x', /expected the ARN of a role/],
  ['op', 'op://Apps', /expected op:\/\/VAULT\/ITEM, or with/],
  ['op', 'op://a/b/c/d/e', /expected op:\/\/VAULT\/ITEM/],
  ['azure', 'app_db', /expected a name of letters, digits and dashes$/],
  ['gcp', 'projects/p/secret/x', /expected NAME or projects\/PROJECT\/secrets\/NAME$/],
  ['gcp-any', 'app', /expected a project/],
  ['k8s', 'apps/db/password', /expected NAME or NAMESPACE\/NAME/],
  ['k8s', 'Apps/db', /expected NAME or NAMESPACE\/NAME/],
  ['folder', '../etc/shadow', /expected a path within the folder$/],
  ['env', '/', /expected the name of a variable, or a prefix/],
  ['op', 'op://Apps', /path: op:\/\/Apps: expected/],
  ['op', 'Apps/Database/code#', /expected op:\/\/VAULT\/ITEM/],
  ['aws', 'app/db#', /expected a field after #$/],
  ['azure', 'app-db#', /expected a field after #$/],
  ['gcp', 'app#', /expected a field after #$/],
  ['k8s', 'db#', /expected a key after #$/],
  ['bao', '/', /expected MOUNT\/PATH$/],
  ['bao', 'secret/../sys/mounts', /expected MOUNT\/PATH, without \.\.$/],
  ['web', 'team/../db?stage=live', /expected a path without \.\.$/],
  ['web', 'team/db', /the upstream wants the parameter stage; set parameters\.stage of the secret$/],
  ['env', 'A=B', /expected the name of a variable$/],
];

for (const [upstream, path, message] of wrong)
  t.test(`${upstream}: ${path}`, (t) => {
    const [problem, ...others] = problemsOf(upstream, path);
    t.match(
      problem,
      new RegExp(`^/c\\.yaml:3:${`  x: { upstream: ${upstream}, path: `.length + 1}: secrets\\.x\\.path: `),
    );
    t.match(problem, message);
    t.strictSame(others, []);
    t.end();
  });

const right: readonly [upstream: string, path: string][] = [
  ['aws', 'app/db+x=1@2.3-4_5'],
  ['aws', 'rds!cluster-1234'],
  ['aws', 'secretsmanager:app/db#password'],
  ['aws', 'secretsmanager:app/*'],
  ['aws', 'secretsmanager:*'],
  ['aws', 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/db-AbCdEf#password'],
  ['aws', 'secretsmanager:arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:db-AbCdEf'],
  ['aws', 'ssm:/app/db:3'],
  ['aws', 'ssm:/app/*'],
  ['aws', 'arn:aws:ssm:eu-west-1:123456789012:parameter/app/db'],
  ['aws', 'sts:arn:aws:iam::123456789012:role/team/reader'],
  ['aws', 'arn:aws:iam::123456789012:role/reader'],
  ['aws', 'app/db?stage=AWSPREVIOUS'],
  ['op', 'op://My%20Apps/Database/one-time password#otp'],
  ['op', 'Apps/Database/Section/field'],
  ['azure', 'app-db/0123456789abcdef#password'],
  ['gcp', 'app_db/versions/3#password'],
  ['gcp-any', 'projects/p/locations/europe-west3/secrets/app'],
  ['k8s', 'db'],
  ['k8s', 'apps/db.tls#tls.key'],
  ['folder', 'db/.data'],
  ['folder', 'db/password'],
  ['env', 'DB_PASSWORD'],
  ['app-env', '/'],
  ['bao', 'secret/what?! is/..here'],
  ['bao', 'secret'],
  ['web', 'team/db?stage=live'],
];

t.test('what can be meant is taken', (t) => {
  for (const [upstream, path] of right) t.strictSame(problemsOf(upstream, path), [], `${upstream}: ${path}`);
  t.end();
});

t.test('a write is for vaults', (t) => {
  t.match(problemsOf('k8s', 'db', ', operation: write'), [
    /secrets\.x\.operation: an upstream of kind kubernetes is only read, got write$/,
  ]);
  t.strictSame(problemsOf('bao', 'pki/issue/x', ', operation: write'), []);
  t.end();
});
