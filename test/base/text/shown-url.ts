import t from 'tap';
import { shownUrl } from '../../../src/base/text/shown-url.ts';

t.test('shows where it is, and no credential', async (t) => {
  for (const [url, shown] of [
    [
      'https://user:hunter2@h.example:4318/v1/metrics?key=hunter2#hunter2',
      'https://h.example:4318/v1/metrics',
    ],
    ['https://hunter2@@h.example', 'https://h.example'],
    ['http://h.example/a@b/{path}?token=hunter2', 'http://h.example/a@b/{path}'],
    ['https://[::1]:8200/v1', 'https://[::1]:8200/v1'],
    ['http://169.254.169.254/latest', 'http://169.254.169.254/latest'],
  ] as const)
    t.equal(shownUrl(url), shown);
});
