import t from 'tap';
import { JsonNumber } from '../../../src/base/text/json.ts';
import { plain, quoted } from '../../../src/template/exec/function-table.ts';
import { openParameters, redact } from '../../../src/template/exec/redact.ts';
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

t.test(
  'tells the parameters of a write that come from the template from those that come from a secret',
  async (t) => {
    const asked = (text: string, ...secrets: (typeof secret)[]) =>
      openParameters({ common_name: 'shop.example.com', password: 'hunter2' }, text, secrets);
    t.same(asked(''), ['common_name', 'password'], 'no secret was read');
    t.same(asked('{{ $name := "shop.example.com" }}', secret), ['common_name'], 'a variable of the template');
    t.same(asked('', secret), [], 'neither stands in the template: made from a secret, maybe');
    const same = secretOf({ name: 'shop.example.com', pass: 'hunter2' });
    t.same(
      asked('"common_name=shop.example.com"', same),
      ['common_name'],
      'literal, though a secret says the same',
    );
    t.same(asked('shop.example.com hunter2', same), []);
  },
);

t.test('cuts values of secrets out of plain text too', async (t) => {
  t.equal(
    redact([plain('open /run/hunter2: no such file')], '', [secret]),
    'open /run/[redacted]: no such file',
  );
  t.equal(redact([plain('1234 of hunter2')], '{{ `hunter2` }}', [secret]), '1234 of hunter2');
});
