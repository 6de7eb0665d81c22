// The reader of long JSON reads what the short one reads, and refuses what the runtime refuses.
import t from 'tap';
import type { JsonObject } from '../../../../../src/base/text/json.ts';
import { lookupIn, outcome } from '../../../../support/render-text.ts';
import { createSeededRandom } from '../../../../support/seeded-random.ts';

const random = createSeededRandom(7);
const upTo = (most: number): number => Math.floor(random() * most);
const pick = <T>(of: readonly T[]): T => of[upTo(of.length)] as T;
const strings = ['', 'a', '__proto__', 'é€😀', '\n"\\\t', '\ud800', '0', '\u2028', '</script>'];
const numbers = ['0', '-0', '1.5e-7', '12345678901234567890', '-1E+2', '0.1'];

function randomJson(depth: number): string {
  const gap = pick(['', '', ' ', '\n\t\r ']);
  const kind = depth > 4 ? upTo(3) : upTo(5);
  if (kind === 0) return gap + JSON.stringify(pick(strings)) + gap;
  if (kind === 1) return gap + pick(numbers) + gap;
  if (kind === 2) return gap + pick(['true', 'false', 'null']) + gap;
  const items = Array.from({ length: upTo(5) }, () => randomJson(depth + 1));
  if (kind === 3) return `${gap}[${gap}${items.join(',')}]`;
  return `${gap}{${gap}${items.map((item) => `${JSON.stringify(pick(strings))}${gap}:${item}`).join(',')}}`;
}

const render = (json: string): ReturnType<typeof outcome> => {
  const fields: JsonObject = { json };
  return outcome('{{ with secret "v" }}{{ parseJSON .Data.json | toJSON }}{{ end }}', {
    lookup: lookupIn({ v: fields }),
  });
};

/** The same text, long enough for the other reader. */
const padded = (json: string): string => json + ' '.repeat(70_000);

t.test('gives what the short one gives', async (t) => {
  for (let round = 0; round < 400; round += 1) {
    const json = randomJson(0);
    const [short, long] = [await render(json), await render(padded(json))];
    if (short !== long) t.fail('another value', { json, short, long });
  }
});

t.test('refuses what the short one refuses, in the same words', async (t) => {
  const strange = ['', '"', '\\', '}', ']', ',', ':', '01', '.', 'e', '-', 'x', '\x01', '\\u12'];
  for (let round = 0; round < 400; round += 1) {
    const json = randomJson(0);
    const at = upTo(json.length + 1);
    const torn = json.slice(0, at) + pick(strange) + json.slice(at + upTo(2));
    const [short, long] = (await Promise.all([torn, padded(torn)].map(render))).map((one) =>
      typeof one === 'string'
        ? one
        : one.message.replace(/character (?:\[redacted\]|'.*?'(?= ))/, 'character'),
    );
    // At the end of the text there is a blank now.
    if (short !== long && short?.endsWith('unexpected end of JSON input') !== true) {
      t.fail('another answer', { torn, short, long });
    }
  }
});

t.test('reads one long string, and numbers of many digits', async (t) => {
  const text = 'x'.repeat(12_000_000);
  t.equal(await render(`"${text}"`), `"${text}"`);
  t.equal(await render(`[0.${'1'.repeat(1_000_000)}]`), '[0.1111111111111111]');
  t.match(await render(`[${'9'.repeat(1_000_000)}]`), { message: /cannot unmarshal number/ });
});
