// sprig's functions whose result is another one at each execution. As in sprig, but from the system's randomness throughout.
import { createCipheriv, randomBytes, randomInt } from 'node:crypto';
import { hashSync } from 'bcryptjs';
import {
  type CallContext,
  callError,
  defineFunction,
  type FunctionTable,
} from '../../exec/function-table.ts';
import { decodeText, encodeText, toBuffer } from '../../text/bytes.ts';

/** What one hash costs, in steps: it takes a tenth of a second. */
const hashSteps = 50_000;
const hashCost = 10;
const largestPassword = 72;
/** What `randomInt` of Node takes. */
const largestRange = 2n ** 48n - 1n;

export const sprigRandom: FunctionTable = {
  sprig_randInt: defineFunction(['int', 'int'], 'int', (_context, min, max) => {
    const range = BigInt.asIntN(64, max - min);
    if (range <= 0n) throw callError`invalid argument to Intn`;
    return min + BigInt(randomInt(Number(range < largestRange ? range : largestRange)));
  }),
  sprig_shuffle: defineFunction(['string'], 'string', (context, text) => {
    const decoded = decodeText(text);
    // Before they are taken apart: each becomes a text of its own.
    context.spend(decoded.length);
    return encodeText(shuffled([...decoded], context).join(''));
  }),
  sprig_bcrypt: defineFunction(['string'], 'string', bcrypt),
  sprig_htpasswd: defineFunction(['string', 'string'], 'string', (context, user, password) =>
    user.includes(':') ? `invalid username: ${user}` : `${user}:${bcrypt(context, password)}`,
  ),
  sprig_encryptAES: defineFunction(['string', 'string'], 'string', (_context, password, text) => {
    const key = Buffer.alloc(32);
    toBuffer(password).copy(key);
    const start = randomBytes(16);
    const cipher = createCipheriv('aes-256-cbc', key, start);
    return Buffer.concat([start, cipher.update(toBuffer(text)), cipher.final()]).toString('base64');
  }),
};

/** As sprig has it, a failure is the text. */
function bcrypt(context: CallContext, password: string): string {
  const bytes = toBuffer(password);
  if (bytes.length > largestPassword)
    return `failed to encrypt string with bcrypt: bcrypt: password length exceeds ${largestPassword} bytes`;
  context.spend(hashSteps);
  // The library hashes the UTF-8 of a text: what is none has no other way to it.
  const text = decodeText(password);
  if (!Buffer.from(text, 'utf8').equals(bytes)) throw callError`bcrypt: the text is not UTF-8`;
  return hashSync(text, hashCost).replace(/^\$2b\$/, '$2a$');
}

const charactersALook = 4096;

function shuffled(characters: string[], { lookAtTime }: CallContext): string[] {
  for (let at = characters.length - 1; at > 0; at--) {
    if (at % charactersALook === 0) lookAtTime();
    const other = randomInt(at + 1);
    [characters[at], characters[other]] = [characters[other] ?? '', characters[at] ?? ''];
  }
  return characters;
}
