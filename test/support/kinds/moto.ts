// moto, AWS's services in one process (PyPI `moto[server]`): of the PATH, or where LATCHKEY_TEST_MOTO says.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { AwsClient } from 'aws4fetch';
import type { Test } from 'tap';
import { freePort } from '../../../src/base/system/free-port.ts';
import { waitFor } from '../wait-for.ts';

const program = process.env['LATCHKEY_TEST_MOTO'] ?? 'moto_server';

/** For tap's `skip`. */
export const needsMoto: string | false =
  spawnSync(program, ['--help'], { stdio: 'ignore' }).status === 0
    ? false
    : 'moto_server is neither on the PATH nor named by LATCHKEY_TEST_MOTO (pip install "moto[server]")';

export const motoEnv = {
  AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'canary-aws-key',
  AWS_REGION: 'eu-central-1',
};

export interface Moto {
  readonly address: string;
  call(
    service: 'secretsmanager' | 'ssm' | 'sqs',
    action: string,
    body: object,
  ): Promise<Record<string, unknown>>;
  down(): Promise<void>;
  up(): Promise<void>;
}

export async function startMoto(t: Test): Promise<Moto> {
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  const moto: Moto = {
    address,
    async up() {
      child = spawn(program, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
      await waitFor('moto answers', () =>
        fetch(`${address}/moto-api/`).then(
          ({ ok }) => ok,
          () => false,
        ),
      );
    },
    async down() {
      const ended = new Promise((done) => child?.once('close', done));
      child?.kill('SIGKILL');
      await ended;
      child = undefined;
    },
    async call(service, action, body) {
      const client = new AwsClient({
        accessKeyId: 'AKIAEXAMPLE',
        secretAccessKey: 'x',
        service,
        region: 'eu-central-1',
        retries: 0,
      });
      const targets = { secretsmanager: 'secretsmanager', ssm: 'AmazonSSM', sqs: 'AmazonSQS' };
      const answer = await client.fetch(`${address}/`, {
        method: 'POST',
        headers: {
          'content-type': service === 'sqs' ? 'application/x-amz-json-1.0' : 'application/x-amz-json-1.1',
          'x-amz-target': `${targets[service]}.${action}`,
        },
        body: JSON.stringify(body),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`moto: ${action}: ${answer.status} ${text}`);
      return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    },
  };
  await moto.up();
  t.teardown(async () => {
    if (child !== undefined) await moto.down();
  });
  return moto;
}
