import t from 'tap';
import { JsonNumber } from '../../../src/base/json.ts';
import { plain, quoted } from '../../../src/template/exec/function-table.ts';
import { redact } from '../../../src/template/exec/redact.ts';
import { secretOf } from '../../support/render-text.ts';

const secret = secretOf({ pass: 'hunter2', nested: [{ pin: new JsonNumber('1234') }] });
const parts = (raw: string) => [plain('bad '), quoted(raw)];

t.test('shows values while no secret has been read', async (t) => {
  t.equal(redact(parts('hunter2'), '', []), 'bad "hunter2"');
});

t.test('with secrets, shows only what stands in the template and is no value of a secret', async (t) => {
  t.equal(redact(parts('12x'), '{{ parseInt `12x` }}', [secret]), 'bad "12x"');
  t.equal(redact(parts('derived'), '{{ }}', [secret]), 'bad [redacted]');
  t.equal(redact(parts('hunter2'), '{{ `hunter2` }}', [secret]), 'bad [redacted]');
  t.equal(redact(parts('1234'), '{{ `1234` }}', [secret]), 'bad [redacted]');
  t.equal(redact(parts(''), '', [secret]), 'bad ""');
});

t.test('cuts values of secrets out of plain text too', async (t) => {
  t.equal(
    redact([plain('open /run/hunter2: no such file')], '', [secret]),
    'open /run/[redacted]: no such file',
  );
  t.equal(redact([plain('1234 of hunter2')], '{{ `hunter2` }}', [secret]), '1234 of hunter2');
});
