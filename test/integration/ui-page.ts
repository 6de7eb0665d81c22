// The status page in a real browser: what it shows against what happens, at every width, by keyboard, light and dark; and
// that no value is ever in it. With LATCHKEY_TEST_SHOTS=FOLDER it leaves pictures there.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import t from 'tap';
import { needsBrowser, startBrowser } from '../support/browser.ts';
import { startAgent, startProgram } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const shots = process.env['LATCHKEY_TEST_SHOTS'];
const canary = 'canary-value-4711';

/** As it is laid out. */
const shown = async (where: Locator): Promise<string> => (await where.allInnerTexts()).join('\n');

/** Runs in the page: texts whose colour is too near to what is behind them (WCAG 2.1, 1.4.3). */
const contrastFaults = `(() => {
  const numbers = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const light = (color) => {
    const [r, g, b] = color.map((one) => one / 255 <= 0.04045 ? one / 255 / 12.92 : ((one / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (from) => {
    for (let one = from; one !== null; one = one.parentElement) {
      const color = numbers(getComputedStyle(one).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const faults = new Set();
  for (const one of document.querySelectorAll('body *')) {
    const hasText = [...one.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim() !== '');
    const row = one.closest('.fresh');
    if (!hasText || (row !== null && row.getAnimations().length > 0)) continue;
    const [a, b] = [light(numbers(getComputedStyle(one).color)), light(behind(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faults.add(one.tagName + ' ' + one.className + ': ' + ratio.toFixed(1));
  }
  return [...faults];
})()`;

t.test('shows what is there and what happens, to nobody but its user', { skip: needsBrowser }, async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/stripe', { key: `${canary}-1` });
  await vault.writeSecret('secret/mail', { key: `${canary}-mail` });
  const [destination, bad] = [join(folder, 'app.conf'), join(folder, 'bad')];
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      secrets: {
        stripe: { path: 'secret/stripe', refresh: '250ms' },
        mail: { path: 'secret/mail' },
        missing: { path: 'secret/nowhere', required: false },
      },
      files: [
        {
          destination,
          contents: '{{ field "stripe" "key" }}',
          check: { command: ['sh', '-c', `[ ! -e ${bad} ]`] },
          notify: { command: ['true'] },
        },
        { destination: join(folder, 'one'), set: 'pair', contents: '{{ field "stripe" "key" }}' },
        { destination: join(folder, 'two'), set: 'pair', contents: '{{ field "mail" "key" }}' },
      ],
      processes: [{ name: 'legacy', command: ['sleep', '1000'], env: { KEY: '{{ field "mail" "key" }}' } }],
      audit: { file: join(folder, 'audit.jsonl') },
    },
  });
  await agent.untilReady();
  await agent.ask('/secrets/stripe/key');
  const ui = startProgram(t, ['ui', '--socket', agent.socket, '--no-open']);
  await waitFor('the link', () => ui.stdout().includes('\n'));
  const link = ui.stdout().trim();
  const browser = await startBrowser(t);
  const context = await browser.newContext({
    colorScheme: 'light',
    viewport: { width: 1200, height: 900 },
  });
  const page = await context.newPage();
  const seen: string[] = [];
  const foreign: string[] = [];
  const faults: string[] = [];
  page.on('response', async (response) => {
    if (!response.url().startsWith(new URL(link).origin)) foreign.push(response.url());
    const isStream = response.headers()['content-type'] === 'text/event-stream';
    if (!isStream) seen.push(await response.text().catch(() => ''));
  });
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(error.message));
  await page.goto(link);
  await page.waitForSelector('#secrets-rows tr');
  const textOf = (selector: string) => shown(page.locator(selector));
  const row = (table: string, text: string) => page.locator(`#${table}-rows tr`, { hasText: text }).first();

  await t.test('what is there', async (t) => {
    t.match(await textOf('#verdict'), /^ready/);
    t.match(await textOf('#secrets-count'), '3');
    // While it is polled there is no next poll.
    await waitFor('the row', async () =>
      /stripe\s+fresh\s+1\s+\d+ s\s+–\s+poll (in \d+ s|now)\s+3/.test(await shown(row('secrets', 'stripe'))),
    );
    t.match(
      await shown(page.locator('#secrets-rows tr').first()),
      /^missing\s+pending/,
      'what needs attention is first',
    );
    t.match(await shown(row('files', destination)), /current/);
    t.match(await shown(row('processes', 'legacy')), /running/);
    t.match(await shown(row('upstreams', 'vault')), /ready/);
    t.match(await shown(row('listeners', 'latchkey.sock')), /listening/);
    await page.waitForSelector('#audit-rows tr');
    t.match(await textOf('#audit-rows'), /stripe key/);
    t.notOk((await page.content()).includes(`pid ${ui.pid}`), 'its own questions are left out');
    t.equal(new URL(page.url()).search, '', 'the word is gone from the address');
  });

  await t.test('a rotation, live, and what the file did', async (t) => {
    await vault.writeSecret('secret/stripe', { key: `${canary}-2` });
    await waitFor('the rotation', async () => /version 1 → 2/.test(await textOf('#rotations-list')));
    await waitFor('the row', async () => /fresh\s+2/.test(await shown(row('secrets', 'stripe'))));
    await waitFor('the file', async () =>
      /rendered, checked, committed, notified/.test(await shown(row('files', destination))),
    );
    await waitFor('the set', async () =>
      /set pair[\s\S]*rendered, committed/.test(await shown(row('files', '/one'))),
    );
    t.match(await shown(row('files', '/two')), /set pair/);
    t.match(await textOf('#rotations-list'), /noticed[\s\S]*fetched[\s\S]*rendered[\s\S]*notified/);
    writeFileSync(bad, '');
    await vault.writeSecret('secret/stripe', { key: `${canary}-3` });
    await waitFor('the failure', async () => /checked failed/.test(await textOf('#rotations-list')));
    await waitFor('the verdict', async () => /degraded|1 file failing/.test(await textOf('#verdict')));
    t.equal(readFileSync(destination, 'utf8'), `${canary}-2`);
    await waitFor('what needs attention', async () =>
      /file \S+app\.conf: check failed/.test(await textOf('#attention-list')),
    );
    t.match(await textOf('#attention-list'), /secret missing: read secret\/data\/nowhere: no such secret/);
  });

  await t.test('by keyboard alone', async (t) => {
    await page.evaluate('document.body.focus()');
    await page.keyboard.press('Tab');
    t.match(await page.evaluate('document.activeElement?.textContent'), 'Skip to the secrets');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.type('stri');
    await waitFor('the filter', async () => (await textOf('#secrets-count')) === '1 of 3');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    t.equal(await page.evaluate('document.activeElement?.getAttribute("aria-expanded")'), 'true');
    await waitFor('the detail', async () =>
      /vault, secret\/stripe[\s\S]*held by file:/.test(await textOf('#secrets-rows')),
    );
    // It stays open, with the focus, while rows change.
    await vault.writeSecret('secret/stripe', { key: `${canary}-4` });
    await waitFor('the change', async () => /fresh\s+4/.test(await shown(row('secrets', 'stripe'))));
    t.equal(await page.evaluate('document.activeElement?.textContent'), 'stripe');
    t.equal(await page.locator('#secrets-rows tr').count(), 2);
    await page.keyboard.press('Enter');
    t.equal(await page.locator('#secrets-rows tr').count(), 1);
    await page.locator('#filter').fill('');
  });

  await t.test('fits, from 360 pixels to wide, light and dark, and can be read', async (t) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      for (const width of [360, 768, 1200, 1920]) {
        await page.setViewportSize({ width, height: 900 });
        const overflow = Number(await page.evaluate('document.documentElement.scrollWidth - innerWidth'));
        t.ok(overflow <= 0, `${width}: nothing beyond the edge (${overflow})`);
        if (shots)
          await page.screenshot({ path: join(shots, `ui-${colorScheme}-${width}.png`), fullPage: true });
      }
      const poor = await page.evaluate(contrastFaults);
      t.strictSame(poor, [], `${colorScheme}: contrast of 4.5 at least`);
    }
    const unnamed = await page.evaluate(
      `[...document.querySelectorAll('button, input, table th')].filter((one) => !one.hidden &&
          one.textContent.trim() === '' && one.labels?.length !== 1).length`,
    );
    t.equal(unnamed, 0, 'everything has a name');
    await page.setViewportSize({ width: 360, height: 900 });
    t.match(
      await page.locator('#secrets').ariaSnapshot(),
      /- row "stripe [\s\S]*- cell "stripe"/,
      'rows that are laid out as blocks are rows to a screen reader',
    );
    t.equal(
      await page.locator('#audit-rows tr', { hasText: '/status' }).count(),
      0,
      'who only looks is left out',
    );
  });

  await t.test('the agent goes and comes back', async (t) => {
    await agent.stop();
    await page.waitForSelector('#trouble:not([hidden])');
    t.match(await textOf('#trouble'), /cannot reach the agent|ended the connection|ECONNREFUSED|ENOENT/);
  });

  await t.test('no value, nothing from elsewhere, no fault, and small', async (t) => {
    const stream = await streamOf(page);
    const all = [...seen, stream, await page.content(), ui.stdout(), ui.stderr()].join('\n');
    t.ok(all.length > 10_000);
    t.notMatch(all, canary);
    t.strictSame(foreign, []);
    t.strictSame(
      faults.filter((text) => !text.includes('net::ERR_') && !text.includes('status of 502')),
      [],
    );
    const files = ['page.html', 'page.css', 'page.js'].map((name) =>
      readFileSync(join(import.meta.dirname, '../../dist/ui', name)),
    );
    t.ok(files.reduce((sum, { length }) => sum + length, 0) <= 80_000);
  });
});

/** All that the stream says, read once more as the page reads it. */
async function streamOf(page: Page): Promise<string> {
  const told = await page.evaluate(`(async () => {
    const reader = (await fetch('/events')).body.getReader();
    const decoder = new TextDecoder();
    let text = '';
    const ended = new Promise((resolve) => setTimeout(() => resolve({ done: true }), 500));
    for (;;) {
      const { value, done } = await Promise.race([reader.read(), ended]);
      if (done) break;
      text += decoder.decode(value, { stream: true });
    }
    await reader.cancel();
    return text;
  })()`);
  return String(told);
}
