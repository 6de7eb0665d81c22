// Another owner of a file that names none: taken back, unless a program that is told of the file gave it away.
import { chownSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const skip = process.getuid?.() === 0 ? false : 'only root gives files away';
const other = 65_534;

t.test('an owner that nobody asked for is put right, told and counted, once', { skip }, async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'good' });
  const plain = join(folder, 'plain');
  const given = join(folder, 'given');
  const told = join(folder, 'told');
  writeFileSync(told, '');
  const contents = '{{ field "app" "word" }}';
  const command = ['sh', '-c', `chown ${other} ${given}; echo told >> ${told}`];
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: { app: { path: 'secret/app' } },
      files: [
        { contents, destination: plain },
        { contents, destination: given, notify: { command } },
      ],
    },
  });
  await agent.untilReady();
  await waitFor('the program to be told', () => readFileSync(told, 'utf8') === 'told\n');
  t.equal(statSync(given).uid, other, 'the program gave it away');
  chownSync(plain, other, other);
  await waitFor('its own again', () => statSync(plain).uid === 0 && statSync(plain).gid === 0);
  t.equal(readFileSync(plain, 'utf8'), 'good');
  await waitFor('the word of it', () => agent.log().includes('somebody else changed the owner'));
  await agent.ask('/refresh', { method: 'POST' });
  t.equal(statSync(given).uid, other, 'and is left what the program made of it');
  t.equal(readFileSync(told, 'utf8'), 'told\n');
  t.equal(agent.log().split('somebody else changed').length - 1, 1);
  const metrics = (await agent.ask('/metrics')).text;
  t.match(metrics, new RegExp(`latchkey_file_drifts_total\\{destination="${plain}",what="owner"\\} 1`));
  t.notMatch(metrics, new RegExp(`drifts_total\\{destination="${given}"`));
});
