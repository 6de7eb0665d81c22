// An agent with nothing but one secret.
import type { Test } from 'tap';
import { startAgent, type TestAgent } from './cli.ts';
import { startDevVault, type TestVault } from './dev-vault.ts';
import { testFolder } from './test-folder.ts';

/** Its secret `app` has the field `word`; it is ready. */
export async function startPlainAgent(
  t: Test,
  word = 'w',
): Promise<{ agent: TestAgent; folder: string; vault: TestVault }> {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word });
  const config = { secrets: { app: { path: 'secret/app' } } };
  const agent = startAgent(t, { folder, vault, config });
  await agent.untilReady();
  return { agent, folder, vault };
}
