// What the status page costs: an agent with a thousand secrets, a hundred of them changing each second, with no page and with
// one open; and whether the page stays usable. `node test/bench/ui-load.ts`, after a build; needs Chromium.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { needsBrowser, startBrowser } from '../support/browser.ts';
import { startAgent, startProgram } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const [secretCount, changesASecond, seconds] = [1000, 100, 8];
const ticksASecond = 100;

function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / ticksASecond;
}

t.test(
  'a thousand secrets, a hundred changes a second',
  { skip: needsBrowser, timeout: 120_000 },
  async (t) => {
    const vault = await startDevVault(t);
    const names = Array.from({ length: secretCount }, (_, index) => `s${index}`);
    for (const name of names) await vault.writeSecret(`secret/${name}`, { word: '0' });
    const agent = startAgent(t, {
      folder: testFolder(t),
      vault,
      config: {
        secrets: Object.fromEntries(names.map((name) => [name, { path: `secret/${name}`, refresh: '1h' }])),
        log: { level: 'error' },
      },
    });
    await agent.untilReady();

    async function load(): Promise<number> {
      const end = performance.now() + seconds * 1000;
      let count = 0;
      const before = processorSeconds(agent.pid);
      while (performance.now() < end) {
        const due = performance.now() + 1000 / (changesASecond / 10);
        for (let index = 0; index < 10; index += 1) {
          await vault.writeSecret(`secret/${names[(count * 7) % secretCount]}`, { word: String(count) });
          count += 1;
        }
        await delay(Math.max(0, due - performance.now()));
      }
      const used = (processorSeconds(agent.pid) - before) / seconds;
      t.comment(
        `${(count / seconds).toFixed(0)} changes a second, the agent: ${(used * 100).toFixed(0)} % of a core`,
      );
      return used;
    }

    t.comment('no page:');
    const without = await load();
    const ui = startProgram(t, ['ui', '--socket', agent.socket, '--no-open']);
    await waitFor('the link', () => ui.stdout().includes('\n'));
    const page = await (await startBrowser(t)).newPage();
    await page.goto(ui.stdout().trim());
    await page.waitForSelector('#secrets-rows tr');
    t.comment('one page:');
    const commandBefore = processorSeconds(ui.pid);
    const loading = load();
    const delays: number[] = [];
    for (let round = 0; round < 20; round += 1) {
      const begin = performance.now();
      await page.evaluate('new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))');
      delays.push(performance.now() - begin);
      await page.locator('#filter').fill(`s${round}`);
      await delay(200);
    }
    const withPage = await loading;
    const command = (processorSeconds(ui.pid) - commandBefore) / seconds;
    delays.sort((a, b) => a - b);
    t.comment(
      `the page: +${((withPage - without) * 100).toFixed(0)} % of a core for the agent, ${(command * 100).toFixed(0)} % for the command`,
    );
    t.comment(
      `next frame after ${delays[10]?.toFixed(0)} ms in the middle, ${delays.at(-1)?.toFixed(0)} ms at most`,
    );
    t.ok((delays[10] ?? 0) < 250, 'it stays usable');
    t.ok(withPage - without < 0.25, 'the agent has better things to do');
  },
);
