// Recorded requests of the AWS dialect: secrets by their names, and by any id.
import { versionIdOf } from '../../../src/server/aws/aws-secret.ts';
import { answerOf } from '../serving.ts';
import { arn, type Scene } from './scene.ts';

export async function awsRequests({ put, store, ask, note, pass }: Scene): Promise<void> {
  note('aws');
  const key = put('db', '{"user":"app","password":"old","port":5432.0}', { versionId: '7' });
  const entry = store.find(key);
  const before = entry?.current;
  const id = entry && before ? versionIdOf(entry, before) : '';
  store.hold('file:/etc/app.conf', key, 1);
  store.publish(
    key,
    answerOf('{"user":"app","password":"new","port":5432.0}', { versionId: '8' }),
    undefined,
  );
  put('one', { value: 'just this' });
  put('bytes', { secret_binary: 'AAEC' });
  put('keys', { access_key: 'AKIA', secret_key: 'abc', security_token: 'tok' });
  for (let round = 0; round < 2; round += 1) {
    for (const path of [
      ...['/secretsmanager/get?secretId=db', '/v1/db', '/v1/one', '/v1/bytes', '/v1/none', '/v1/late'],
      ...['/v1/db?versionStage=AWSCURRENT', '/v1/db?versionStage=AWSPREVIOUS', '/v1/db?versionStage=X'],
      ...[`/v1/db?versionId=${id}`, `/v1/db?versionId=${id}&versionStage=AWSCURRENT`],
      ...['/v1/db?refreshNow=true', '/v1/db?refreshNow=maybe', '/v1/db?roleArn=x', '/v1/', '/v1/other'],
      ...['/systemsmanager/parameters/get?name=db', '/systemsmanager/parameters/get?name=%2Fdb%2Fpassword'],
      ...['/systemsmanager/parameters/get?name=/db/port&version=7', '/systemsmanager/parameters/get'],
      ...['/systemsmanager/parameters/get?name=/db/none', '/systemsmanager/parameters/get?name=none'],
      ...['/systemsmanager/parameters/get?name=db&label=AWSPREVIOUS', '/systemsmanager/other'],
      ...['/credentials/aws/keys', '/credentials/aws/db', '/credentials/aws/none', '/ping', '/stray'],
    ])
      await ask('aws', 'GET', path);
    note('seconds later');
    pass(2300);
  }
  for (const method of ['HEAD', 'POST']) await ask('aws', method, '/v1/db');
  await ask('aws', 'GET', '/v1/db', { 'X-Forwarded-For': '10.0.0.1' });
  await ask('aws', 'GET', '/v1/db', { Origin: 'http://localhost' });
}

/** By any id, under two prefixes; by aliases; over TCP and by other forms of HTTP. */
export async function awsByAnyId({ put, ask, note, pass }: Scene): Promise<void> {
  note('aws: by any id');
  put('secrets', { value: 'a name that looks like a path' });
  for (let round = 0; round < 2; round += 1) {
    for (const path of [
      ...['/v1/prod/key', '/v1/prod%2Fkey', '/secretsmanager/get?secretId=prod/key', '/v1/bytes', '/v1/db'],
      ...['/v1/prod/key?versionStage=AWSPREVIOUS', '/v1/prod/key?versionId=abc', '/v1/prod/key?refreshNow=1'],
      ...[
        '/v1/none',
        '/v1/secret',
        '/v1/deleted',
        '/v1/limited',
        '/v1/away',
        '/v1/prod/key?roleArn=x',
        '/v1/',
      ],
      ...['/secretsmanager/get?secretId=prod/key&versionStage=AWSPREVIOUS', '/v1/secrets/db', '/v1/secrets'],
    ])
      await ask('any', 'GET', path);
    for (const path of ['/v1/secrets/db', '/v1/secrets/prod/key', '/v1/secrets', '/v1/prod/key'])
      await ask('prefixed', 'GET', path);
    await ask('any', 'GET', '/v1/prod/key', {}, { version: '1.0' });
    await ask('any', 'GET', '/v1/prod/key', { Connection: 'close' });
    note('aws: seconds later');
    pass(2300);
  }
  note('aws: other forms');
  const ids = ['prod/db', arn, `${arn}-a1b2c3`, `${arn}-zzzzzz`].map(encodeURIComponent);
  for (const id of ids)
    for (let round = 0; round < 2; round += 1) await ask('aws', 'GET', `/secretsmanager/get?secretId=${id}`);
  for (const name of ['prod/db', '/prod/db/password', '/prod/db/none', 'other/key', 'db&withDecryption=true'])
    await ask('aws', 'GET', `/systemsmanager/parameters/get?name=${name}`);
  for (const method of ['POST', 'PUT', 'HEAD', 'DELETE'])
    for (const path of ['/secretsmanager/get?secretId=db', '/systemsmanager/parameters/get?name=db'])
      await ask('aws', method, path, {}, { body: '{"SecretId":"db"}' });
  for (const path of ['/secretsmanager/get?secretId=db', '/credentials/aws/keys', '/ping']) {
    for (const name of ['X-Aws-Parameters-Secrets-Token', 'X-Vault-Token', 'Authorization'])
      for (const value of ['TOKEN', 'x']) await ask('tcp', 'GET', path, { [name]: value });
    await ask('aws', 'GET', path, {}, { version: '1.0' });
  }
}
