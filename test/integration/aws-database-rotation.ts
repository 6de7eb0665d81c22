// Both rotations of Secrets Manager with a real PostgreSQL: a program that logs in again when it is notified never fails.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startAgent } from '../support/cli.ts';
import { motoEnv, needsMoto, startMoto } from '../support/kinds/moto.ts';
import { queryPostgres, startPostgres } from '../support/postgres.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.test(
  'alternating users and a single user: told by events, no failed login',
  { skip: needsMoto },
  async (t) => {
    const postgres = await startPostgres(t);
    if (postgres === undefined) return;
    const moto = await startMoto(t);
    const { QueueUrl: queue } = await moto.call('sqs', 'CreateQueue', { QueueName: 'events' });
    const folder = testFolder(t);
    const write = async (
      action: 'CreateSecret' | 'PutSecretValue',
      name: string,
      user: string,
      password: string,
    ) => {
      const id = action === 'CreateSecret' ? { Name: name } : { SecretId: name };
      await moto.call('secretsmanager', action, {
        ...id,
        SecretString: JSON.stringify({ username: user, password }),
      });
      const event = {
        source: 'aws.secretsmanager',
        'detail-type': 'Secret Label Updated',
        detail: { name, labelUpdated: 'AWSCURRENT' },
      };
      await moto.call('sqs', 'SendMessage', { QueueUrl: queue, MessageBody: JSON.stringify(event) });
    };
    for (const user of ['pair_a', 'pair_b', 'lonely'])
      await queryPostgres(postgres, `create role ${user} login password 'first'`);
    await write('CreateSecret', 'pair', 'pair_a', 'first');
    await write('CreateSecret', 'single', 'lonely', 'first');

    const notified = (name: string) => join(folder, `${name}.notified`);
    const file = (name: string) => ({
      contents: `{{ field "${name}" "username" }} {{ field "${name}" "password" }}`,
      destination: join(folder, name),
      notify: { command: ['/bin/sh', '-c', `echo >> ${notified(name)}`] },
    });
    const agent = startAgent(t, {
      folder,
      vault: { address: 'http://127.0.0.1:1', rootToken: 'none' },
      env: motoEnv,
      config: {
        upstreams: { aws: { kind: 'aws', endpoint: moto.address, events_queue: queue } },
        secrets: { pair: { path: 'pair', refresh: '1h' }, single: { path: 'single', refresh: '1h' } },
        files: [file('pair'), file('single')],
      },
    });
    await agent.untilReady();
    const login = async (name: string) => {
      const [user = '', password = ''] = readFileSync(join(folder, name), 'utf8').split(' ');
      await queryPostgres(postgres, 'select 1', [], { user, password });
      return `${user} ${password}`;
    };
    const notices = (name: string) => {
      try {
        return readFileSync(notified(name), 'utf8').length;
      } catch {
        return 0;
      }
    };
    t.equal(await login('pair'), 'pair_a first');
    t.equal(await login('single'), 'lonely first');

    for (let round = 1; round <= 4; round += 1) {
      const user = round % 2 === 1 ? 'pair_b' : 'pair_a';
      const before = { pair: notices('pair'), single: notices('single') };
      await queryPostgres(postgres, `alter role ${user} password 'round${round}'`);
      // The user of before is good until the next round: whoever logs in meanwhile does so.
      await login('pair');
      await write('PutSecretValue', 'pair', user, `round${round}`);
      await login('pair');
      // The one user's password ends now; the program that has a connection goes on with it until it is notified.
      await queryPostgres(postgres, `alter role lonely password 'round${round}'`);
      await write('PutSecretValue', 'single', 'lonely', `round${round}`);
      await waitFor(
        'both are notified by the event, each is refreshed by the hour',
        () => notices('pair') > before.pair && notices('single') > before.single,
      );
      t.equal(await login('pair'), `${user} round${round}`);
      t.equal(await login('single'), `lonely round${round}`);
    }
    await agent.stop();
    t.notMatch(agent.log(), /round\d/);
  },
);
