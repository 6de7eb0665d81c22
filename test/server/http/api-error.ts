import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LatchkeyError } from '../../../src/base/errors.ts';
import { apiError, apiErrorOf, apiStatuses, errorBody } from '../../../src/server/http/api-error.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/reference/local-api.md'), 'utf8');

t.test('the reference page lists every code with its status, and none that is gone', (t) => {
  const rows = [...page.matchAll(/^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \| (\d{3}) \|/gm)];
  const listed = rows.flatMap(([, codes = '', status]) =>
    [...codes.matchAll(/[a-z_]+/g)].map(([code]) => [code, Number(status)] as const),
  );
  t.strictSame(Object.fromEntries(listed), apiStatuses);
  t.end();
});

t.test('errors are told by their code and message, strangers by nothing', (t) => {
  t.match(apiErrorOf(new LatchkeyError('upstream_sealed', 'sealed', { remedy: 'unseal it' })), {
    code: 'upstream_sealed',
    status: 503,
    message: 'sealed; unseal it',
  });
  t.equal(
    apiErrorOf(new LatchkeyError('process_failed', 'x')).status,
    500,
    'a code that the API does not know',
  );
  t.notMatch(apiErrorOf(new Error('CANARY')).message, 'CANARY');
  t.notMatch(apiErrorOf('CANARY').message, 'CANARY');
  t.strictSame(apiError('denied', 'no'), { code: 'denied', message: 'no', status: 403 });
  t.equal(errorBody('denied', 'n"o'), '{"error":{"code":"denied","message":"n\\"o"}}\n');
  t.end();
});
