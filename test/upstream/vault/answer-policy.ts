import t from 'tap';
import { quoteTexts, requestRefusal } from '../../../src/upstream/vault/answer-policy.ts';

t.test('what a server says is quoted on one line, bounded, without secrets', async (t) => {
  t.equal(quoteTexts([], []), '');
  t.equal(quoteTexts(['a', 'b'], []), ' (a; b)');
  t.equal(
    quoteTexts(['1 error occurred:\n\t* no\u001b[31m \u2028such'], []),
    ' (1 error occurred: * no [31m  such)',
  );
  t.equal(quoteTexts(['bad token s.canary'], ['s.canary', 'a']), ' (bad token [redacted])');
  t.equal(quoteTexts(['x'.repeat(5000)], []).length, 300 + ' (…)'.length);
});

t.test('a path that is only written to says how', async (t) => {
  const body = Buffer.from('{"errors":["1 error occurred:\\n\\t* unsupported operation\\n\\n"]}');
  const remedyOf = (status: number, what: string) =>
    requestRefusal({ status, headers: {}, body, address: 'http://v' }, { what, path: 'pki/issue/web' })
      .remedy;
  t.match(remedyOf(405, 'read pki/issue/web'), /operation: write/);
  t.equal(remedyOf(405, 'write pki/issue/web'), 'check the path and the parameters');
  t.equal(remedyOf(400, 'read pki/issue/web'), 'check the path and the parameters');
});
