// Signatures as vendors make them, and all that is almost one.
import { createHmac } from 'node:crypto';
import t from 'tap';
import type { HmacProofConfig } from '../../../src/config/resolved.ts';
import { verifyHmac } from '../../../src/server/hooks/hmac-policy.ts';

const key = Buffer.from('the key of both');
const wallMs = 1_800_000_000_000;
const now = String(wallMs / 1000);
const body = Buffer.from('{"event":"secret.modified"}');
const base: HmacProofConfig = {
  kind: 'hmac',
  secretFile: '/key',
  secret: undefined,
  keyEncoding: 'text',
  header: 'x-signature',
  algorithm: 'sha256',
  signed: '{timestamp}.{body}',
  timestampHeader: 'x-time',
  idHeader: 'webhook-id',
  toleranceMs: 300_000,
};
const sign = (text: string, as: 'hex' | 'base64' = 'hex', algorithm = 'sha256') =>
  createHmac(algorithm, key).update(text).update(body).digest(as);

function verdict(
  config: Partial<HmacProofConfig>,
  headers: Record<string, string>,
  { keys = [key], sent = body }: { keys?: Buffer[]; sent?: Buffer } = {},
) {
  return verifyHmac({ ...base, ...config }, keys, { header: (name) => headers[name], body: sent }, wallMs);
}

t.test('takes the forms in which vendors sign', async (t) => {
  const good: [string, Partial<HmacProofConfig>, Record<string, string>][] = [
    ['its own', {}, { 'x-signature': `sha256=${sign(`${now}.`)}`, 'x-time': now }],
    ['bare, capital letters', {}, { 'x-signature': sign(`${now}.`).toUpperCase(), 'x-time': now }],
    ['GitHub, Doppler', { signed: '{body}' }, { 'x-signature': `sha256=${sign('')}` }],
    ['Stripe', {}, { 'x-signature': `t=${now},v1=${sign(`${now}.`)},v0=${'0'.repeat(64)}` }],
    ['Infisical', { signed: '{body}' }, { 'x-signature': `t=${wallMs};${sign('')}` }],
    [
      'Slack',
      { signed: 'v0:{timestamp}:{body}' },
      { 'x-signature': `v0=${sign(`v0:${now}:`)}`, 'x-time': now },
    ],
    [
      'Standard Webhooks, with the signature of another key before',
      { signed: '{id}.{timestamp}.{body}' },
      {
        'webhook-id': 'msg_1',
        'x-signature': `v1,${Buffer.alloc(32).toString('base64')} v1,${sign(`msg_1.${now}.`, 'base64')}`,
        'x-time': now,
      },
    ],
    ['SHA-512', { algorithm: 'sha512' }, { 'x-signature': sign(`${now}.`, 'hex', 'sha512'), 'x-time': now }],
    [
      'a date',
      {},
      {
        'x-signature': sign(`${new Date(wallMs).toISOString()}.`),
        'x-time': new Date(wallMs).toISOString(),
      },
    ],
  ];
  for (const [name, config, headers] of good) t.match(verdict(config, headers), { isGood: true }, name);
  const second = verdict({}, good[0]?.[2] ?? {}, { keys: [Buffer.from('another'), key] });
  t.match(second, { isGood: true }, 'the second key, while it changes');
});

t.test('refuses what is not signed, not so, not now', async (t) => {
  const signature = sign(`${now}.`);
  const at = (seconds: number) => String(wallMs / 1000 + seconds);
  const refused: [
    string,
    Partial<HmacProofConfig>,
    Record<string, string>,
    { keys?: Buffer[]; sent?: Buffer }?,
  ][] = [
    ['nothing', {}, {}],
    ['no time', {}, { 'x-signature': signature }],
    ['an empty signature', {}, { 'x-signature': '', 'x-time': now }],
    ['the name of the form alone', {}, { 'x-signature': 'sha256=', 'x-time': now }],
    ['too short', {}, { 'x-signature': signature.slice(0, -2), 'x-time': now }],
    ['too long', {}, { 'x-signature': `${signature}00`, 'x-time': now }],
    [
      'one bit',
      {},
      { 'x-signature': `${signature[0] === '0' ? '1' : '0'}${signature.slice(1)}`, 'x-time': now },
    ],
    ['another body', {}, { 'x-signature': signature, 'x-time': now }, { sent: Buffer.from('{}') }],
    ['another key', {}, { 'x-signature': signature, 'x-time': now }, { keys: [Buffer.from('other')] }],
    ['no key', {}, { 'x-signature': signature, 'x-time': now }, { keys: [] }],
    ['another time than was signed', {}, { 'x-signature': signature, 'x-time': at(1) }],
    ['too old', {}, { 'x-signature': sign(`${at(-301)}.`), 'x-time': at(-301) }],
    ['too new', {}, { 'x-signature': sign(`${at(301)}.`), 'x-time': at(301) }],
    ['no number', {}, { 'x-signature': sign('NaN.'), 'x-time': 'NaN' }],
    ['endless', {}, { 'x-signature': sign('Infinity.'), 'x-time': 'Infinity' }],
    ['no id', { signed: '{id}.{timestamp}.{body}' }, { 'x-signature': signature, 'x-time': now }],
    ['the weaker algorithm', { algorithm: 'sha512' }, { 'x-signature': signature, 'x-time': now }],
  ];
  for (const [name, config, headers, more] of refused)
    t.match(verdict(config, headers, more), { isGood: false, why: String }, name);
  const many = `${'v1,AAAA '.repeat(50)}${`v1,${Buffer.alloc(32).toString('base64')} `.repeat(8)}v1,${signature}`;
  t.match(verdict({}, { 'x-signature': many, 'x-time': now }), { isGood: false }, 'a header full of guesses');
});

t.test(
  'knows a message again however its signature is written, and only where its time is signed',
  async (t) => {
    const hex = verdict({}, { 'x-signature': sign(`${now}.`), 'x-time': now });
    const base64 = verdict({}, { 'x-signature': `v1,${sign(`${now}.`, 'base64')}`, 'x-time': now });
    t.ok(hex.isGood && hex.mark !== undefined);
    t.strictSame(hex, base64);
    const other = String(wallMs / 1000 - 1);
    const later = verdict({}, { 'x-signature': sign(`${other}.`), 'x-time': other });
    t.ok(later.isGood && hex.isGood && later.mark !== hex.mark);
    const timeless = verdict({ signed: '{body}' }, { 'x-signature': sign('') });
    t.match(timeless, { isGood: true, mark: undefined });
  },
);
