import { randomBytes } from 'node:crypto';
import t from 'tap';
import { createLiveMask, createOutputMask } from '../../../src/base/mask/output-mask.ts';
import { SecretValue } from '../../../src/base/secret-value.ts';
import { createLineReader } from '../../../src/supervise/launch/line-reader.ts';

const maskOf = (...values: string[]) => createOutputMask(values.map((value) => SecretValue.fromText(value)));
const secret = maskOf('hunter2-secret');

t.test('masks a value wherever it stands, and what contains it first', async (t) => {
  const mask = maskOf('hunter2', 'hunter2-long');
  t.equal(mask.text('pw=hunter2 hunter2hunter2'), 'pw=[redacted] [redacted][redacted]');
  t.equal(mask.text('hunter2-long'), '[redacted]');
  t.equal(mask.text('hunter'), 'hunter');
});

t.test('masks a value as JSON, URLs and base64 spell it', async (t) => {
  const value = 'p"w/d ü\\1+x';
  const mask = maskOf(value);
  for (const form of [
    value,
    JSON.stringify(value),
    encodeURIComponent(value),
    Buffer.from(value).toString('base64'),
    Buffer.from(value).toString('base64url'),
  ]) {
    t.match(mask.text(`a ${form} b`), /^a "?\[redacted\]"?=* b$/, form);
  }
});

const hexOf = (byte: number) => byte.toString(16).padStart(2, '0');
/** RFC 4648, 6. */
const base32 = (text: string) => {
  const bits = Array.from(Buffer.from(text), (byte) => byte.toString(2).padStart(8, '0')).join('');
  const letters = Array.from(
    bits.match(/.{1,5}/g) ?? [],
    (five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[Number.parseInt(five.padEnd(5, '0'), 2)],
  ).join('');
  return letters.padEnd(Math.ceil(letters.length / 8) * 8, '=');
};
const asciiJson = (text: string) =>
  JSON.stringify(text).replace(
    /[^\x20-\x7e]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

t.test('masks a value as any language and format spells it', async (t) => {
  const percent = (text: string, kept: RegExp, blank = '%20') =>
    [...Buffer.from(text)]
      .map((byte) => String.fromCharCode(byte))
      .map((sign) => {
        if (kept.test(sign)) return sign;
        return sign === ' ' ? blank : `%${sign.charCodeAt(0).toString(16).padStart(2, '0')}`;
      })
      .join('');
  const spellings: Readonly<Record<string, (text: string) => string>> = {
    'as it is': (text) => text,
    'Python quote': (text) => percent(text, /[A-Za-z0-9_.~/-]/),
    'Python urlencode, Go QueryEscape': (text) => percent(text, /[A-Za-z0-9_.~-]/, '+'),
    'Java URLEncoder': (text) =>
      percent(text, /[A-Za-z0-9.*_-]/, '+').replace(/%../g, (code) => code.toUpperCase()),
    'PHP rawurlencode': (text) => percent(text, /[A-Za-z0-9_.~-]/),
    'JavaScript encodeURIComponent': encodeURIComponent,
    'PHP json_encode': (text) => JSON.stringify(text).replaceAll('/', '\\/'),
    'Python json.dumps': asciiJson,
    'Go json.Marshal': (text) =>
      JSON.stringify(text).replace(/[<>&]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16)}`),
    'a shell': (text) => `'${text.replaceAll("'", "'\\''")}'`,
    'a shell, by %q': (text) => text.replace(/[^A-Za-z0-9\u0080-\uffff]/g, '\\$&'),
    SQL: (text) => `'${text.replaceAll("'", "''")}'`,
    'XML by name': (text) =>
      text
        .replaceAll('&', '&amp;')
        .replaceAll('<', '&lt;')
        .replaceAll('>', '&gt;')
        .replaceAll('"', '&quot;')
        .replaceAll("'", '&apos;'),
    'XML by number': (text) => text.replace(/[^A-Za-z0-9]/gu, (sign) => `&#${sign.codePointAt(0)};`),
    'XML in hexadecimal': (text) =>
      text.replace(/[^A-Za-z0-9]/gu, (sign) => `&#x${sign.codePointAt(0)?.toString(16)};`),
    'C in hexadecimal': (text) =>
      [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''),
    'C in octal': (text) =>
      [...Buffer.from(text)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join(''),
    hexadecimal: (text) => Buffer.from(text).toString('hex'),
    'hexadecimal, upper case': (text) => Buffer.from(text).toString('hex').toUpperCase(),
    'a dump in pairs': (text) => [...Buffer.from(text)].map(hexOf).join(' '),
    'a dump by colons': (text) => [...Buffer.from(text)].map((byte) => hexOf(byte).toUpperCase()).join(':'),
    'an array of C': (text) => [...Buffer.from(text)].map((byte) => `0x${hexOf(byte)}`).join(', '),
    'an address in an address': (text) => encodeURIComponent(encodeURIComponent(text)),
    'an address in JSON, in an address': (text) =>
      encodeURIComponent(JSON.stringify({ to: encodeURIComponent(text) })),
    'JSON of Python in JSON in JSON': (text) => JSON.stringify(JSON.stringify(asciiJson(text))),
    'JSON in a shell': (text) => `'${JSON.stringify(text).replaceAll("'", "'\\''")}'`,
    'Python ascii, which writes Latin-1 as \\xe4 and the rest as \\U0001f511': (text) =>
      text.replace(/[^\x20-\x7e]|["'\\]/gu, (sign) => {
        const code = sign.codePointAt(0) ?? 0;
        if (code < 0x7f) return `\\${sign}`;
        return code < 0x100 ? `\\x${code.toString(16)}` : `\\U${code.toString(16).padStart(8, '0')}`;
      }),
    'Go QuoteToASCII': (text) =>
      text.replace(/[^\x20-\x7e]|["\\]/gu, (sign) => {
        const code = sign.codePointAt(0) ?? 0;
        if (code < 0x7f) return `\\${sign}`;
        return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U000${code.toString(16)}`;
      }),
    'base64 of JSON, by Python': (text) => Buffer.from(`{"pw": ${asciiJson(text)}}`).toString('base64'),
    'base64 of JSON, by PHP': (text) =>
      Buffer.from(`{"pw":${asciiJson(text).replaceAll('/', '\\/')}}`).toString('base64'),
    'base64url of JSON, by JavaScript': (text) =>
      Buffer.from(JSON.stringify({ sub: 'app', pw: text })).toString('base64url'),
    'credentials of a registry in a Secret of Kubernetes': (text) =>
      Buffer.from(JSON.stringify({ auth: Buffer.from(`user:${text}`).toString('base64') })).toString(
        'base64',
      ),
    'base32, padded': base32,
    'base32 in small letters, as a part of a longer text': (text) => base32(`user:${text}\n`).toLowerCase(),
    'Go %v of bytes': (text) => `[${[...Buffer.from(text)].join(' ')}]`,
    'Go %#v of bytes': (text) =>
      `[]byte{${Array.from(Buffer.from(text), (byte) => `0x${byte.toString(16)}`).join(', ')}}`,
    'Java Arrays.toString': (text) => `[${[...new Int8Array(Buffer.from(text))].join(', ')}]`,
    'JSON of a Buffer': (text) => JSON.stringify(Buffer.from(text)),
    'JSON of a typed array': (text) => JSON.stringify(new Uint8Array(Buffer.from(text))),
    'a typed array as Node shows it': (text) =>
      `[ ${Array.from(Buffer.from(text), (byte) => String(byte).padStart(3)).join(', ')} ]`,
    'quoted-printable': (text) =>
      Array.from(Buffer.from(text), (byte) =>
        byte < 0x21 || byte > 0x7e || byte === 0x3d
          ? `=${hexOf(byte).toUpperCase()}`
          : String.fromCharCode(byte),
      ).join(''),
    'UTF-16 in hexadecimal': (text) => Buffer.from(text, 'utf16le').toString('hex'),
    'UTF-16 in base64, as PowerShell takes it': (text) =>
      Buffer.from(`pw=${text};`, 'utf16le').toString('base64'),
    'a percent doubled': (text) => text.replaceAll('%', '%%'),
    'a dollar doubled': (text) => text.replaceAll('$', '$$$$'),
    ...Object.fromEntries(
      [0, 1, 2, 3, 7].flatMap((before) =>
        (['base64', 'base64url'] as const).map((encoding) => [
          `${encoding} of a longer text, from byte ${before}`,
          (text: string) => Buffer.from(`${'u'.repeat(before)}${text}:more`).toString(encoding),
        ]),
      ),
    ),
  };
  const values = [
    'Tr0ub4dor!',
    'my pass phrase',
    "it's(me)*x",
    'AbC/dEf/GhI=',
    'pässwörd-ünï 🔑',
    'r&d<x>"quoted"',
    'a+b=c%41 100%',
    'back\\slash\\n',
    '$5 `now`; #x',
    'ends in 100%',
    '%2Fabc%zz $$ %%',
  ];
  for (const value of values) {
    const mask = maskOf(value);
    for (const [name, spell] of Object.entries(spellings)) {
      const masked = mask.text(`before ${spell(value)} after`);
      t.match(masked, /^before .{0,32}\[redacted\].{0,16} after$/s, `${name}: ${value}`);
    }
    t.equal(mask.text('nothing of it: %41 & "quoted" \\n'), 'nothing of it: %41 & "quoted" \\n');
  }
});

t.test('masks a value in Latin-1, as older programs print it', async (t) => {
  const mask = maskOf('pässwörd-ünï');
  for (const spelled of [
    Buffer.from('pässwörd-ünï', 'latin1'),
    Buffer.from('p%E4ssw%F6rd-%FCn%EF'),
    Buffer.from(Buffer.from('pässwörd-ünï', 'latin1').toString('base64')),
  ]) {
    const line = mask.bytes(Buffer.concat([Buffer.from('pw '), spelled, Buffer.from(' end')]));
    t.equal(line.toString('latin1').replace(/=*(?= end)/, ''), 'pw [redacted] end');
  }
});

t.test('leaves the quotes around a value, and what stands beside it', async (t) => {
  const mask = maskOf('hunter2-secret');
  t.equal(mask.text('{"a":"hunter2-secret","b":"x"}'), '{"a":"[redacted]","b":"x"}');
  t.equal(mask.text('https://u:hunter2%2dsecret@h/?q=%20'), 'https://u:[redacted]@h/?q=%20');
  t.equal(mask.text('\\nhunter2-secret\\n'), '\\n[redacted]\\n');
});

t.test('masks each line of a value with several lines', async (t) => {
  const mask = maskOf('-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA\nshort\n-----END KEY-----\n');
  t.equal(mask.text('x MIIEpAIBAAKCAQEA'), 'x [redacted]');
  t.equal(mask.text('a short line'), 'a short line');
});

t.test('leaves values that are too short to be secrets', async (t) => {
  t.equal(maskOf('1', 'yes').text('1 yes'), '1 yes');
  t.equal(maskOf().text('anything'), 'anything');
});

t.test('follows the values in use, and masks the longest first wherever it comes from', async (t) => {
  const own = [SecretValue.fromText('alpha')];
  let inUse = [SecretValue.fromText('alpha-long')];
  const mask = createLiveMask(own, () => inUse);
  t.equal(mask().text('alpha-long alpha beta'), '[redacted] [redacted] beta');
  t.equal(mask(), mask(), 'it is made once');
  inUse = [SecretValue.fromText('beta')];
  t.equal(mask().text('alpha beta'), '[redacted] [redacted]');
});

t.test('cuts lines across chunks of any size and masks across their borders', async (t) => {
  const text = 'one hunter2-secret\r\ntwo\n\nüber hunter2-secret tail';
  for (let size = 1; size < 30; size++) {
    const lines: string[] = [];
    const reader = createLineReader(
      () => secret,
      (line) => lines.push(line),
    );
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
    reader.end();
    t.strictSame(lines, ['one [redacted]', 'two', '', 'über [redacted] tail'], `chunks of ${size}`);
  }
});

t.test('cuts a line without end, and no secret in two', async (t) => {
  const lines: string[] = [];
  const reader = createLineReader(
    () => secret,
    (line) => lines.push(line),
  );
  const piece = Buffer.from('xhunter2-secret');
  for (let i = 0; i < 20_000; i++) reader.push(piece);
  t.ok(lines.length > 10, 'lines come before the newline does');
  reader.end();
  t.notMatch(lines.join(''), 'hunter2');
  t.equal(lines.join('').replaceAll('[redacted]', '').length, 20_000);
});

/** A reader whose time is made to pass by hand. */
function slowReader(mask = secret) {
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const clock = {
    setTimer: (_ms: number, callback: () => void) => {
      waiting.add(callback);
      return { cancel: () => waiting.delete(callback) };
    },
  };
  const reader = createLineReader(
    () => mask,
    (line) => lines.push(line),
    clock,
  );
  const pass = () => {
    for (const callback of [...waiting]) {
      waiting.delete(callback);
      callback();
    }
  };
  return { lines, waiting, pass, push: (text: string) => reader.push(Buffer.from(text)), end: reader.end };
}

t.test('holds back what a secret may begin in, for a moment, and nothing else', async (t) => {
  const { lines, waiting, pass, push, end } = slowReader();
  push('one\npw is\n');
  t.strictSame(lines, ['one', 'pw is']);
  push('hunter2-\n');
  t.equal(waiting.size, 1);
  push('clear\n');
  t.strictSame(lines.slice(2), ['hunter2-', 'clear'], 'it went on in another way');
  t.equal(waiting.size, 0);
  push('hunter2-\n');
  push('sec');
  t.equal(lines.length, 4);
  push('ret\n');
  t.strictSame(lines.slice(4), ['[redacted]', '[redacted]']);
  push('hunter2-s\n');
  pass();
  t.strictSame(lines.slice(6), ['[redacted]'], 'what comes late is masked by its beginning');
  push('ecret and more\n');
  t.strictSame(lines.slice(7), ['[redacted] and more'], 'and by its end');
  push('hunt\n');
  end();
  t.strictSame(lines.slice(8), ['hunt']);
  t.equal(waiting.size, 0);
});

t.test('lines that come one by one cost no more than all at once, and are bounded', async (t) => {
  const value = randomBytes(24_000).toString('base64');
  const mask = maskOf(value);
  let looked = 0;
  const look = (text: Buffer) => {
    looked += text.length;
    return mask.look(text);
  };
  const { lines, push, end } = slowReader({ ...mask, look });
  const text = value.replace(/.{40}(?!$)/g, '$&\n');
  for (const line of text.split('\n')) push(`${line}\n`);
  end();
  t.ok(looked < 6 * text.length, `${looked} bytes were looked at, of ${text.length}`);
  t.equal(lines.filter((line) => line.replaceAll('+', '') === '[redacted]').length, lines.length);
  const other = slowReader();
  for (let count = 0; count < 5000; count++)
    other.push(`${Buffer.from('words that are no secret at all, of a text ').toString('base64')}\n`);
  t.ok(other.lines.length > 1000, 'base64 without end comes in the meantime');
  other.end();
  t.equal(other.lines.length, 5000);
});

t.test('masks the piece of a secret with which the output breaks off', async (t) => {
  const lines: string[] = [];
  const reader = createLineReader(
    () => secret,
    (line) => lines.push(line),
  );
  reader.push(Buffer.from('pw=hunter2-secr'));
  reader.end();
  t.strictSame(lines, ['pw=[redacted]']);
});

t.test(
  'masks a value in UTF-16 of both byte orders, also where a line begins within a character',
  async (t) => {
    const mask = maskOf('pässwörd-ünï 🔑');
    for (const swap of [false, true]) {
      const wide = Buffer.from('pw pässwörd-ünï 🔑\nend', 'utf16le');
      if (swap) wide.swap16();
      const lines: string[] = [];
      const reader = createLineReader(
        () => mask,
        (line) => lines.push(line.replaceAll('\0', '')),
      );
      reader.push(wide);
      reader.end();
      t.strictSame(lines, ['pw [redacted]', 'end']);
    }
    const shown = Buffer.from('pw=hunter2-secret;', 'utf16le').toString('latin1');
    for (const text of [JSON.stringify(shown), shown.replaceAll('\0', '\\x00'), encodeURIComponent(shown)])
      t.match(secret.text(text), /(=|%3D).{0,6}\[redacted\]/, 'as bytes that are shown with escapes');
    t.equal(secret.bytes(Buffer.from('nothing of it', 'utf16le')).toString('utf16le'), 'nothing of it');
  },
);

t.test('what looks like an encoding and is none stays as it is', async (t) => {
  const mask = maskOf('ABCDefgh', 'DE%2Fxyz/w');
  for (const [line, masked] of [
    ['counts 1 2 3 4 5 600 7000, at 10.0.0.1:8080', undefined],
    ['[300, 65, 66, 67]', undefined],
    ['key=ABCDefgh', 'key=[redacted]'],
    ['key=DE%2Fxyz%2Fw', 'key=[redacted]'],
    ['MFRGGZDFMZTWQ2LK and aGVsbG8gd29ybGQh', undefined],
  ] as const) {
    t.equal(mask.text(line), masked ?? line);
  }
});

t.test('a program that prints much of what may hide something holds nobody up', (t) => {
  const values = Array.from({ length: 1000 }, (_, index) =>
    SecretValue.fromText(`sk_live_${index % 2 === 0 ? 'é&"' : ''}canary-${index}-abcdefgh`),
  );
  const mask = createOutputMask(values);
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const random = randomBytes(16_000);
  const chunk = 64 * 1024;
  for (const [what, text] of [
    ['lines', '2026-11-29 INFO GET /v1/users/42 took 13ms user="bob" '],
    ['base64', `${base64('%41%41%41%41abcd')} `],
    ['base64 in base64', base64(base64('hello %41 \\u0041 &amp; '))],
    ['base32', base32(random.toString('latin1'))],
    ['numbers', random.join(', ')],
    ['a dump', random.toString('hex').replace(/../g, '$& ')],
    ['escapes', '\\u0041%41&amp;=41\\x41'],
    ['UTF-16', Buffer.from('words of Windows ', 'utf16le').toString('latin1')],
    ['the beginning of many', 'sk_live_'],
    ['the beginning of many in base64', base64('sk_live_')],
  ] as const) {
    const bytes = Buffer.from(text.repeat(chunk / text.length + 1).slice(0, chunk), 'latin1');
    const costs = Array.from({ length: 5 }, () => {
      const before = process.threadCpuUsage();
      mask.bytes(bytes);
      const { user, system } = process.threadCpuUsage(before);
      return (user + system) / 1000;
    });
    const least = Math.round(Math.min(...costs));
    t.ok(least < 100, `${what}: ${least} ms for what a pipe holds`);
  }
  const before = process.threadCpuUsage();
  for (let count = 0; count < 1000; count++) mask.text('GET /v1/users/42 took 13ms status ok user="bob"');
  const { user, system } = process.threadCpuUsage(before);
  t.ok((user + system) / 1000 < 300, `${Math.round((user + system) / 1000)} ms for a thousand short lines`);
  const two = `${base64('a b c d e f g h')} ${base64('user:sk_live_canary-7-abcdefgh')} ${base64('sk_live_canary-13-abcdefgh')}`;
  t.notMatch(mask.text(two), /Y2FuYXJ5|jYW5hcnkt|NhbmFyeS0/, 'each of several in a line is found');
  t.end();
});
