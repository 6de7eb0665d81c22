// The system's Chromium without a window, for tests of pages.
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import type { Test } from 'tap';

const path = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((one) =>
  existsSync(one),
);

/** For tap's `skip`. */
export const needsBrowser = path === undefined ? 'Chromium (Debian: chromium) is not here' : false;

export async function startBrowser(t: Test): Promise<Browser> {
  if (path === undefined) throw new Error(String(needsBrowser));
  const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];
  const browser = await chromium.launch({ executablePath: path, args, headless: true });
  t.teardown(() => browser.close());
  return browser;
}
