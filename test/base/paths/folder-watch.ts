// What a folder watch costs where whoever owns a folder on the way does more than anybody should have to follow.
import { mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { silentLogger } from '../../../src/base/logger.ts';
import { createFolderWatch } from '../../../src/base/paths/folder-watch.ts';
import { waitFor } from '../../support/wait-for.ts';

const turned = 'links that are turned without end cost a few looks, and where they lead at last is told';
t.test(turned, async (t) => {
  const turns = 2000;
  const release = t.testdir({ v1: {}, v2: {}, next: {} });
  const names = Array.from({ length: 50 }, (_, index) => `app${index}`);
  for (const version of ['v1', 'v2']) for (const name of names) mkdirSync(join(release, version, name));
  // Of one that is turned again and again the kernel tells but once until somebody has read it.
  const links = [join(release, 'current'), join(release, 'stable')];
  const turn = (to: string) => {
    for (const link of links) {
      // Made elsewhere: nothing else happens beside it.
      symlinkSync(to, join(release, 'next', 'link'));
      renameSync(join(release, 'next', 'link'), link);
    }
  };
  turn('v1');
  const paths = links.flatMap((link) => names.map((name) => join(link, name, 'file')));
  const told = new Set<string>();
  const watch = createFolderWatch({ logger: silentLogger, onEvent: (path) => told.add(path) });
  t.teardown(watch.close);
  watch.set(paths);
  told.clear();
  let begun = process.cpuUsage();
  watch.set(paths);
  const { user, system } = process.cpuUsage(begun);
  const oneLook = user + system;
  for (let count = 0; count < turns; count += 1) turn(count % 2 === 0 ? 'v1' : 'v2');
  begun = process.cpuUsage();
  await waitFor('all are told of', () => told.size === paths.length);
  const all = process.cpuUsage(begun);
  const spent = all.user + all.system;
  t.ok(spent < (oneLook * turns) / 10, `${turns} turns took ${spent} µs, one look ${oneLook} µs`);
  told.clear();
  turn('v1');
  await waitFor('they are told of again', () => told.size === paths.length);
});
