import { duplexPair } from 'node:stream';
import t from 'tap';
import { createSystemClock } from '../../../src/base/time/clock.ts';
import { takeListMethod } from '../../../src/server/node-internals/vault-list-method.ts';

const packet = 'LIST /v1/secret/metadata HTTP/1.1\r\nHost: localhost\r\n\r\n';

/** As Node's parser tells it, which has come so far in the packet. */
const refusal = (bytesParsed: number, code = 'HPE_INVALID_METHOD', text = packet) =>
  Object.assign(new Error('refused'), {
    ...{ code, bytesParsed, rawPacket: Buffer.from(text), reason: 'Invalid method encountered' },
  });

function taken(error: ReturnType<typeof refusal>, more: object = {}) {
  const [, socket] = duplexPair();
  let hasParser = false;
  const isTaken = takeListMethod(error, Object.assign(socket, more), {
    clock: createSystemClock(),
    parse() {
      hasParser = true;
    },
    refuse: () => undefined,
  });
  const bytes = isTaken ? String(socket.read() ?? '') : '';
  return { isTaken, hasParser, line: bytes.split('\r\n', 1)[0] };
}

t.test('takes a packet that the method begins, and no other', async (t) => {
  const line = 'SEARCH /v1/secret/metadata HTTP/1.1';
  t.strictSame(taken(refusal(2)), { isTaken: true, hasParser: true, line });
  const not = { isTaken: false, hasParser: false, line: '' };
  t.strictSame(taken(refusal(40)), not, 'what stands before it may be the body of another request');
  t.strictSame(taken(refusal(2, 'HPE_INVALID_VERSION')), not);
  t.strictSame(taken(refusal(2, 'HPE_INVALID_METHOD', `x${packet}`)), not);
  t.strictSame(taken(refusal(2), { _httpMessage: {} }), not, 'an answer is owed');
});
