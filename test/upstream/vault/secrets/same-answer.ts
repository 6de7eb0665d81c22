import t from 'tap';
import { isSameAnswer, markOfAnswer } from '../../../../src/upstream/vault/secrets/same-answer.ts';

const ids = ['0aa8c4a6-1111-4d4f-9f46-7b8b51e1f0aa', '5fd1c0de-2222-4e6b-8d3e-3a1f8f9d11bb'];
const answer = (id: string, rest: string) => Buffer.from(`{"request_id":"${id}"${rest}`);

t.test('only the id of the request may differ', async (t) => {
  const [one = '', other = ''] = ids;
  const known = answer(one, ',"data":{"a":"1"}}');
  t.ok(isSameAnswer(answer(other, ',"data":{"a":"1"}}'), known));
  t.equal(markOfAnswer(answer(other, ',"data":{"a":"1"}}')), markOfAnswer(known));
  for (const [what, body] of [
    ['another value', answer(one, ',"data":{"a":"2"}}')],
    ['a longer one', answer(one, ',"data":{"a":"11"}}')],
    ['cut short', known.subarray(0, -1)],
    ['an id that is none', answer('x'.repeat(36), ',"data":{"a":"1"}}')],
    ['an id with a quote', answer(`${'0'.repeat(34)}\\"`, ',"data":{"a":"1"}}')],
    ['the id elsewhere', Buffer.from(`{"data":{"a":"1"},"request_id":"${other}"}`)],
    ['nothing', Buffer.alloc(0)],
  ] as const) {
    t.notOk(isSameAnswer(body, known), what);
    t.not(markOfAnswer(body), markOfAnswer(known), what);
  }
  const plain = Buffer.from(`{"data":{"a":"1"},"request_id":"${one}"}`);
  t.ok(isSameAnswer(Buffer.from(plain), plain));
  t.notOk(
    isSameAnswer(Buffer.from(`{"data":{"a":"1"},"request_id":"${other}"}`), plain),
    'then all is compared',
  );
});
