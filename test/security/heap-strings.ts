// A heap snapshot has the strings of a program, and no bytes of its buffers: what stands there is shown to whoever gets one.
import { randomInt } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { getHeapSnapshot } from 'node:v8';
import t from 'tap';
import { SecretValue } from '../../src/base/secret-value.ts';
import { secretFields } from '../../src/store/secret-version.ts';
import { answerJson } from '../../src/upstream/vault/answer-policy.ts';

/** Letters that stand in no string of this file or program. */
function randomLetters(): Buffer {
  return Buffer.from(Array.from({ length: 40 }, () => randomInt(97, 123)));
}

async function heapHas(letters: Buffer): Promise<boolean> {
  let rest = Buffer.alloc(0);
  for await (const chunk of getHeapSnapshot()) {
    rest = Buffer.concat([rest, chunk]);
    if (rest.includes(letters)) return true;
    rest = rest.subarray(-letters.length);
  }
  return false;
}

function answerWith(letters: Buffer) {
  const body = Buffer.concat([Buffer.from('{"data":{"data":{"password":"'), letters, Buffer.from('"}}}')]);
  if (answerJson({ body })?.['data'] === undefined) throw new Error('the answer is not read as one');
  return { content: { form: 'vault', shape: 'kv2', body: SecretValue.fromBytes(body) } } as const;
}

t.test('a value that nobody uses stands in no string of the heap', async (t) => {
  const letters = randomLetters();
  const held = answerWith(letters);
  // The engine keeps the text that a pattern was last looked for in.
  t.ok(/other/.test('another text'));
  await nextTurn();
  t.notOk(await heapHas(letters));
  t.ok(secretFields(held)['password'], 'it is held all the same');
  t.ok(await heapHas(letters), 'what is used is found by this way of looking');
});
