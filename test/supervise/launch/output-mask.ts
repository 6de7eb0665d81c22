import t from 'tap';
import { SecretValue } from '../../../src/base/secret-value.ts';
import {
  createLineReader,
  createLiveMask,
  createOutputMask,
} from '../../../src/supervise/launch/output-mask.ts';

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
