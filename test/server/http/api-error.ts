import t from 'tap';
import { LatchkeyError } from '../../../src/base/errors.ts';
import { apiError, apiErrorOf, errorBody } from '../../../src/server/http/api-error.ts';

t.test('errors are told by their code and message, strangers by nothing', (t) => {
  t.match(apiErrorOf(new LatchkeyError('upstream_sealed', 'sealed', { remedy: 'unseal it' })), {
    code: 'upstream_sealed',
    status: 503,
    message: 'sealed; unseal it',
  });
  t.equal(
    apiErrorOf(new LatchkeyError('process_failed', 'x')).status,
    500,
    'a code that only the log and status tell',
  );
  t.notMatch(apiErrorOf(new Error('CANARY')).message, 'CANARY');
  t.notMatch(apiErrorOf('CANARY').message, 'CANARY');
  t.strictSame(apiError('denied', 'no'), { code: 'denied', message: 'no', status: 403 });
  t.equal(errorBody('denied', 'n"o'), '{"error":{"code":"denied","message":"n\\"o"}}\n');
  t.end();
});
