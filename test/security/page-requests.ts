// A page in a browser of this host sends to a listener what a page can send, also where it hides where it comes from: none of it
// gets to a dialect, so that nothing is asked of the vault for it, and nothing is made there.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { LatchkeyError } from '../../src/base/errors.ts';
import { needsBrowser, startBrowser } from '../support/browser.ts';
import { ask, portOf, startServing, tcpListener } from '../support/serving.ts';
import { waitFor } from '../support/wait-for.ts';

/** Each sends one request to where it stands for, with no word of the page. */
const ways: Readonly<Record<string, (url: string) => string>> = {
  img: (url) => `<img src="${url}" referrerpolicy="no-referrer">`,
  script: (url) => `<script src="${url}" referrerpolicy="no-referrer"></script>`,
  style: (url) => `<link rel="stylesheet" href="${url}" referrerpolicy="no-referrer">`,
  frame: (url) => `<iframe src="${url}" referrerpolicy="no-referrer"></iframe>`,
  video: (url) => `<video src="${url}" preload="auto"></video>`,
  preload: (url) => `<link rel="preload" as="fetch" href="${url}" referrerpolicy="no-referrer">`,
  prefetch: (url) => `<link rel="prefetch" href="${url}" referrerpolicy="no-referrer">`,
  fetch: (url) => `<script>fetch("${url}", { mode: "no-cors", referrerPolicy: "no-referrer" })</script>`,
  form: (url) => `<form action="${url}" rel="noreferrer" target="f"></form><iframe name="f"></iframe>
    <script>document.forms[0].submit()</script>`,
  post: (
    url,
  ) => `<form method="post" action="${url}" rel="noreferrer" target="g"></form><iframe name="g"></iframe>
    <script>document.querySelector("[method=post]").submit()</script>`,
  beacon: (url) => `<script>navigator.sendBeacon("${url}")</script>`,
  socket: (url) => `<script>new WebSocket("${url.replace('http:', 'ws:')}")</script>`,
  window: (url) => `<script>setTimeout(() => { location = "${url}" }, 500)</script>`,
};

t.test('of a page in a browser nothing gets to a dialect', { skip: needsBrowser }, async (t) => {
  const asked: string[] = [];
  const serving = await startServing({
    listeners: () => [{ ...tcpListener('', ['vault']), tokenFile: undefined, isOpen: true }] as never,
    view: {
      forward({ path }) {
        asked.push(path);
        return Promise.reject(new LatchkeyError('upstream_unavailable', 'nothing to forward to'));
      },
    },
  });
  t.teardown(serving.close);
  const port = portOf(serving.server, 'listeners[1]');
  t.equal((await ask('/v1/identity/oidc/token/app?by=program', { port })).status, 502, 'a program is served');
  t.equal(asked.length, 1);
  const browser = await startBrowser(t);
  const denied = () => [...serving.registry.render().matchAll(/^latchkey_denials_total\{[^}]*\} (\d+)$/gm)];
  const sum = () => denied().reduce((all, [, count]) => all + Number(count), 0);
  for (const [name, markup] of Object.entries(ways)) {
    const url = `http://127.0.0.1:${port}/v1/identity/oidc/token/app?by=${name}`;
    const page = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html', 'referrer-policy': 'no-referrer' });
      response.end(`<!doctype html><body>${markup(url)}</body>`);
    }).listen(0, '127.0.0.1');
    t.teardown(() => page.close());
    await once(page, 'listening');
    const before = sum();
    const tab = await browser.newPage();
    await tab.goto(`http://localhost:${(page.address() as AddressInfo).port}/`);
    await waitFor(`what came of ${name}`, () => sum() > before || asked.length > 1);
    t.equal(asked.length, 1, name);
    asked.length = 1;
    await tab.close();
  }
});
