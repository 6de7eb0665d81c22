// The demo's page in a real browser: what a viewer clicks happens, on both sides, and no key is ever in it. With
// LATCHKEY_TEST_SHOTS=FOLDER it leaves pictures there.
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import t from 'tap';
import { needsBrowser, startBrowser } from '../support/browser.ts';
import { startProgram } from '../support/cli.ts';
import { waitFor } from '../support/wait-for.ts';

const shots = process.env['LATCHKEY_TEST_SHOTS'];
const waitMs = 60_000;

t.setTimeout(600_000);

interface Seen {
  using: number;
  broken: number;
  downSeconds: number;
  deployments: number;
  services: string;
}

/** As it is laid out. */
const shown = async (where: Locator): Promise<string> => (await where.allInnerTexts()).join('\n');

async function side(page: Page, id: string): Promise<Seen> {
  const figures = await page.locator(`#${id} dd`).allInnerTexts();
  const [using, broken, downSeconds, deployments] = figures.map(Number);
  const services = await shown(page.locator(`#${id} .services`));
  return {
    using: using ?? -1,
    broken: broken ?? -1,
    downSeconds: downSeconds ?? -1,
    deployments: deployments ?? -1,
    services,
  };
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  await waitFor(what, isSo, waitMs);
}

t.test('a key is rotated, leaks, is taken away: on the page, for real', { skip: needsBrowser }, async (t) => {
  const demo = startProgram(t, ['demo', '--no-open']);
  await waitFor('the link', () => demo.stdout().includes('once='), waitMs);
  const link = /http:\S+/.exec(demo.stdout().slice(demo.stdout().indexOf('open this')))?.[0] ?? '';
  const browser = await startBrowser(t);
  const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
  const [faults, bodies]: [string[], string[]] = [[], []];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  const picture = async (name: string): Promise<void> => {
    bodies.push(await page.content());
    if (shots !== undefined) await page.screenshot({ path: join(shots, `demo-${name}.png`), fullPage: true });
  };
  await page.goto(link);
  await page.locator('#latchkey .badge.working').nth(3).waitFor({ timeout: waitMs });
  await picture('start');

  await t.test('a rotation breaks what has its key in the environment, and nothing else', async (t) => {
    await page.locator('#rotate').focus();
    await page.keyboard.press('Enter');
    await until('the old key is revoked', async () => (await side(page, 'hard-coded')).broken > 0);
    await picture('rotating');
    const ours = await side(page, 'latchkey');
    t.equal(ours.services.match(/key 2 after/g)?.length, 4, 'all have the new key before the old one ends');
    await until('all are deployed', async () => {
      const { broken, deployments } = await side(page, 'hard-coded');
      return deployments === 4 && broken === 0;
    });
    const [theirs, after] = [await side(page, 'hard-coded'), await side(page, 'latchkey')];
    t.ok(theirs.downSeconds > 1, `${theirs.downSeconds} s down`);
    t.match(after, { broken: 0, downSeconds: 0, deployments: 0 });
    t.equal(after.services.match(/ 0 failed/g)?.length, 4);
    t.match(await shown(page.locator('#rotation-steps')), /fetched.*committed.*notified/s);
    const [since = ''] = await page.locator('#log tbody').allInnerTexts();
    t.match(since, /^Since the key was rotated/);
    t.match(since, /refund-worker, by its token\s+stripe.*version 2, \d+ times/, 'with all of the rotation');
    await until(
      'the buttons',
      async () => (await page.locator('#rotate').getAttribute('aria-disabled')) === 'false',
    );
  });

  await t.test('access is taken from one service, and given back', async (t) => {
    await page.click('#access');
    await page.locator('#latchkey .badge.denied').waitFor({ timeout: waitMs });
    await until('the log', async () => (await page.locator('#log td.refused').count()) > 0);
    t.match(await side(page, 'latchkey'), { using: 3, broken: 0, downSeconds: 0 });
    t.equal(await page.locator('#latchkey .badge.working').count(), 3, 'the others go on');
    await picture('denied');
    await page.click('#access');
    await page.locator('#latchkey .badge.working').nth(3).waitFor({ timeout: waitMs });
    t.match(await side(page, 'latchkey'), { using: 4 });
  });

  await t.test('the audit file is verified, and a forged copy found out', async (t) => {
    await page.click('#verify');
    await until('the verdict', async () => (await shown(page.locator('#audit-state'))).startsWith('whole'));
    t.match(await shown(page.locator('#audit-says')), /line \d+: /);
  });

  await t.test('a leaked copy is dead, and no call of ours has failed', async (t) => {
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.click('#leak');
    await until('the copy is dead', async () => /^dead \d+ ms/.test(await shown(page.locator('#thief'))));
    t.match(await shown(page.locator('#thief-says')), /[1-9]\d* accepted, [1-9]\d* refused/);
    await picture('leaked');
    const after = await side(page, 'latchkey');
    t.match(after, { broken: 0, downSeconds: 0, deployments: 0 });
    t.equal(after.services.match(/ 0 failed/g)?.length, 4, after.services);
  });

  await t.test('fits a narrow window', async (t) => {
    await page.setViewportSize({ width: 360, height: 740 });
    const isWider = await page.evaluate(
      'document.documentElement.scrollWidth > document.documentElement.clientWidth',
    );
    t.notOk(isWider);
    await picture('narrow');
  });

  t.strictSame(faults, []);
  t.notMatch(bodies.join(''), /sk_demo_|v-token-/, 'no key and no login is in the page');
  demo.child.kill('SIGINT');
  t.equal((await demo.exited).code, 0);
});
