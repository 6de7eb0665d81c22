import t from 'tap';
import { counted, timesText } from '../../../src/base/text/counted.ts';

t.test('says how many as people do', async (t) => {
  t.strictSame(
    [0, 1, 2].map((count) => counted(count, 'secret')),
    ['0 secrets', '1 secret', '2 secrets'],
  );
  t.strictSame(
    [counted(1, 'line is', 'lines are'), counted(3, 'line is', 'lines are')],
    ['1 line is', '3 lines are'],
  );
  t.strictSame([timesText(0), timesText(1), timesText(2)], ['0 times', 'once', '2 times']);
});
