// What real programs make of a value over many lines, in pieces as a pipe may give them.
import { spawnSync } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import t from 'tap';
import { createOutputMask } from '../../../src/base/mask/output-mask.ts';
import { SecretValue } from '../../../src/base/secret-value.ts';
import type { Timer } from '../../../src/base/time/clock.ts';
import { createLineReader } from '../../../src/supervise/launch/line-reader.ts';
import { missing } from '../../support/missing.ts';

const digest = (name: string) => createHash('sha512').update(name).digest();
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const values = {
  short: 'Tr0ub4dor&3-xyz',
  'a phrase':
    'correct horse battery staple, a long pass phrase that goes on over eighty columns "quoted" \\ ends',
  long: `${digest('one').toString('hex')}%/+${digest('two').toString('base64')}`,
  'a key': String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
};

const python = (code: string) => [
  'python3',
  '-c',
  `import sys, base64, json, quopri, textwrap, pprint\n${code}`,
];
const php = (code: string) => ['php', '-r', `$s = stream_get_contents(STDIN); ${code}`];
const shell = (code: string) => ['sh', '-c', code];
const programs: Readonly<Record<string, readonly string[]>> = {
  base64: ['base64'],
  'base64 of 20 columns': ['base64', '-w', '20'],
  base64url: ['basenc', '--base64url'],
  base32: ['base32'],
  'openssl enc': ['openssl', 'enc', '-base64'],
  'encodebytes of Python': python('sys.stdout.write(base64.encodebytes(sys.stdin.buffer.read()).decode())'),
  'MIME of PHP': php('echo chunk_split(base64_encode($s));'),
  'base64 with an indent': shell('base64 | sed "s/^/      /"'),
  'base64 behind a prefix': shell('base64 | sed "s/^/2026-11-29T10:00:00.123Z INFO app[12]: /"'),
  'base64 in a comment': shell('base64 | sed "s/^/# /"'),
  'base64 with numbers of lines': shell('base64 -w 12 | cat -n'),
  'base64 that a shell goes on with': shell(`base64 -w 30 | sed 's/$/\\\\/'`),
  'base64 as strings that are added': shell(`base64 -w 30 | sed 's/^/  "/; s/$/" +/'`),
  'base64 with its breaks in JSON': shell('base64 -w 30 | jq -Rs .'),
  'base64 in base64': shell('base64 | base64'),
  'base64 of JSON with escapes': shell('jq -Rsa . | base64 -w 40'),
  'an array of pieces': ['jq', '-Rs', '[@base64 | scan(".{1,30}")]'],
  'percent-encoding, cut': shell('jq -Rrs @uri | fold -w 31'),
  xxd: ['xxd'],
  'xxd -p': ['xxd', '-p'],
  'xxd -i': ['xxd', '-i'],
  'xxd -b': ['xxd', '-b'],
  'xxd -e': ['xxd', '-e'],
  'xxd behind a prefix': shell('xxd | sed "s/^/INFO app: /"'),
  hexdump: ['hexdump'],
  'hexdump -C': ['hexdump', '-C'],
  'hexdump -c': ['hexdump', '-c'],
  'hexdump -b': ['hexdump', '-b'],
  'hexdump -x': ['hexdump', '-x'],
  od: ['od'],
  'od -c': ['od', '-c'],
  'od -An -c': ['od', '-An', '-c'],
  'od -a': ['od', '-a'],
  'od -b': ['od', '-b'],
  'od -x': ['od', '-x'],
  'od -An -tx1': ['od', '-An', '-tx1'],
  'od -tx1z': ['od', '-tx1z'],
  'od -An -tu1': ['od', '-An', '-tu1'],
  'pairs by colons, as openssl shows them': python(
    'd = sys.stdin.buffer.read().hex(":"); print("\\n    ".join(d[i:i+45] for i in range(0, len(d), 45)))',
  ),
  'quoted-printable of Python': python(
    'sys.stdout.buffer.write(quopri.encodestring(sys.stdin.buffer.read()))',
  ),
  'quoted-printable of PHP': php('echo quoted_printable_encode($s);'),
  'numbers in JSON of Python': python('print(json.dumps(list(sys.stdin.buffer.read()), indent=2))'),
  'numbers of jq': ['jq', '-Rs', '{data: explode}'],
  'numbers of PHP in JSON': php('echo json_encode(array_values(unpack("C*", $s)), JSON_PRETTY_PRINT);'),
  'print_r of PHP': php('print_r(unpack("C*", $s));'),
  'var_dump of PHP': php('var_dump(unpack("C*", $s));'),
  'var_export of PHP': php('var_export(unpack("C*", $s));'),
  'numbers in YAML': shell(`od -An -v -w1 -tu1 | sed 's/^ */- /'`),
  'lines of 20 columns': ['fold', '-w', '20'],
  'lines of 16 columns behind a prefix': shell('fold -w 16 | sed "s/^/INFO app: /"'),
  'a folded scalar of YAML': python(
    'print("key: >-\\n" + textwrap.fill(sys.stdin.read(), 30, initial_indent="    ", subsequent_indent="    "))',
  ),
  'pprint of Python': python('pprint.pprint({"k": [sys.stdin.read()]})'),
  'pprint of bytes': python('pprint.pprint(sys.stdin.buffer.read())'),
  'a block of YAML': shell('printf "key: |\\n"; sed "s/^/    /"'),
  'lines behind a prefix': shell('sed "s/^/10:23:01 INFO app: /"'),
};

/** The pieces that the output comes in: whole, line by line, at any place. */
const cuts: Readonly<Record<string, (output: Buffer) => Buffer[]>> = {
  whole: (output) => [output],
  'line by line': (output) =>
    output
      .toString('latin1')
      .split(/(?<=\n)/)
      .map((line) => Buffer.from(line, 'latin1')),
  'by 7': (output) => pieces(output, 7),
};

function pieces(output: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(output.length / size) }, (_, index) =>
    output.subarray(index * size, (index + 1) * size),
  );
}

function linesOf(chunks: readonly Buffer[], value: string): string[] {
  const mask = createOutputMask([SecretValue.fromText(value), SecretValue.fromText('another-of-them')]);
  const lines: string[] = [];
  const reader = createLineReader(
    () => mask,
    (line) => lines.push(line),
    { setTimer: (): Timer => ({ cancel: () => undefined }) },
  );
  for (const chunk of chunks) reader.push(chunk);
  reader.end();
  return lines;
}

/** What has a digit or letter of the value in it; offsets, keys and prefixes have none. */
function left(lines: readonly string[]): string {
  return lines
    .map((line) =>
      line
        .replace(/^(?:2026-11-29T10:00:00.123Z INFO app\[12\]|INFO app|10:23:01 INFO app): /, '')
        .replace(/^(?:key: [|>]-?|[0-9a-f]{6,8}:?(?= |$)|\s+\d+\t| *array \(| *array\(\d+\) \{|Array)/, '')
        .replace(/["[]?\d+["\]]?\s?=>|"(?:data|k)":|int\(|^- /g, '')
        .replaceAll('[redacted]', ''),
    )
    .join('')
    .replace(/0x|%..|[^0-9A-Za-z]/g, '');
}

/** Of the program, or of those in a line of a shell. */
function lacking(program: string, args: readonly string[]): string | false {
  const wanted = [
    program,
    ...(program === 'sh' ? (args.join(' ').match(/\b(?:jq|xxd|base64|od)\b/g) ?? []) : []),
  ];
  return (
    wanted.map((one) => missing(one, ['sh', '-c', `command -v ${one}`])).find((why) => why !== false) ?? false
  );
}

for (const [name, command] of Object.entries(programs)) {
  const [program = '', ...args] = command;
  t.test(`masks what it breaks into lines: ${name}`, { skip: lacking(program, args) }, async (t) => {
    for (const [what, value] of Object.entries(values)) {
      const { stdout, stderr, status } = spawnSync(program, args, { input: value });
      if (!t.equal(status, 0, `${program}: ${stderr}`)) return;
      const printed = stdout.toString().replace(/\n$/, '').split('\n').length;
      for (const [cut, chunksOf] of Object.entries(cuts)) {
        const lines = linesOf(chunksOf(stdout), value);
        t.equal(lines.length, printed, `${what}, ${cut}: it keeps its lines`);
        t.ok(left(lines).length <= 8, `${what}, ${cut}: ${JSON.stringify(left(lines).slice(0, 60))}`);
      }
    }
  });
}
