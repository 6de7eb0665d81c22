import t from 'tap';
import { quoteTexts } from '../../../src/upstream/vault/answer-policy.ts';

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
