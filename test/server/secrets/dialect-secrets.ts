import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { ask, startServing, unixListener } from '../../support/serving.ts';
import { waitFor } from '../../support/wait-for.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

t.test('an alias that a reload gives to another is that one at once, whatever was kept', async (t) => {
  const aliases: Record<string, string> = { prod: 'blue' };
  const { put, renamed, socketPath, close } = await startServing({ aliases });
  t.teardown(close);
  put('blue', { key: 'of blue' });
  put('green', { key: 'of green' });
  const get = (path: string) => ask(path, { socketPath });
  const paths = ['/secrets/prod', '/secrets/prod/key', '/secrets/%70rod/key'];
  for (const path of [...paths, ...paths]) t.match(await get(path), { status: 200, text: /of blue/ }, path);
  aliases['prod'] = 'green';
  renamed();
  for (const path of [...paths, ...paths]) t.match(await get(path), { status: 200, text: /of green/ }, path);
  delete aliases['prod'];
  renamed();
  for (const path of paths) t.equal((await get(path)).status, 404, path);
});

t.test(
  'however often and in however many spellings a secret is asked for, it is kept a few times',
  async (t) => {
    const name = 'abcdefgh';
    const { put, folder, close } = await startServing({
      aliases: { other: name },
      listeners: (own) => [unixListener(join(own, 'api.sock'), ['secrets', 'aws'])],
    });
    t.teardown(close);
    const bytes = 512 * 1024;
    put(name, { value: 'x'.repeat(bytes) });
    const socketPath = join(folder, 'api.sock');
    const kept = (): number => {
      collect();
      return process.memoryUsage().arrayBuffers;
    };
    const spellings = Array.from({ length: 200 }, (_, number) =>
      [...name]
        .map((letter, at) => ((number >> at) & 1 ? `%${letter.charCodeAt(0).toString(16)}` : letter))
        .join(''),
    );
    const before = kept();
    // What a collection has found is given back by a thread of its own, and the last answer may be on its way.
    const keepsLess = (dialect: string, most: number) =>
      waitFor(`${dialect} to keep less than ${most} bytes more`, () => kept() - before < most);
    for (const _ of spellings) await ask('/secrets/other', { socketPath, method: 'HEAD' });
    for (const spelling of spellings) await ask(`/secrets/${spelling}/value`, { socketPath, method: 'HEAD' });
    await keepsLess('native', 8 * bytes);
    for (const spelling of spellings) await ask(`/secretsmanager/get?secretId=${spelling}`, { socketPath });
    await keepsLess('AWS', 48 * 1024 * 1024);
  },
);
