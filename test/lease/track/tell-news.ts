import t from 'tap';
import { UpstreamError } from '../../../src/base/upstream-error.ts';
import { createTellNews } from '../../../src/lease/track/tell-news.ts';
import { recordLogs } from '../../support/record-logs.ts';

t.test('the secrets that expire are counted for each outage', (t) => {
  const { logger, lines } = recordLogs();
  const tell = createTellNews(logger);
  const error = new UpstreamError('upstream_unavailable', 'no connection');
  const subject = { upstream: 'vault', fields: { secret: 'db', key: 'vault:read db' } };
  for (const _outage of [1, 2, 3]) {
    tell({ do: 'tell', news: 'expired', error }, subject, error);
    tell({ do: 'tell', news: 'recovered', isTold: false }, subject, undefined);
  }
  const messages = lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
  t.strictSame(messages, Array(3).fill('the secret has expired and is no longer handed out'));
  t.end();
});

t.test('those of one outage are told by their number, at each doubling', (t) => {
  const { logger, lines } = recordLogs();
  const tell = createTellNews(logger);
  const error = new UpstreamError('upstream_unavailable', 'no connection');
  for (let index = 1; index <= 5; index += 1) {
    const fields = { secret: `db-${index}`, key: `vault:read db-${index}` };
    tell({ do: 'tell', news: 'expired', error }, { upstream: 'vault', fields }, error);
  }
  const messages = lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
  t.strictSame(messages, [
    'the secret has expired and is no longer handed out',
    '2 secrets have expired while upstream fails',
    '4 secrets have expired while upstream fails',
  ]);
  t.end();
});
