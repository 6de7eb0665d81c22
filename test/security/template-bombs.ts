// Attacks by values, and by templates, on the time of everybody: while one executes nothing else goes on, so that none may
// take more than a second, whatever it is made of.
import t from 'tap';
import { execute, lookupIn } from '../support/render-text.ts';

const MiB = 1024 * 1024;
const half = 'a'.repeat(20_000);

/** What somebody who may write one secret may put into it. */
const lookup = lookupIn({
  val: {
    hosts: Array.from({ length: 60_000 }, (_, index) => `host${index}`).join(','),
    known: 'x'.repeat(6 * MiB),
    long: 'x'.repeat(10 * MiB),
    // What searches of the product of both lengths are slow in.
    hay: 'a'.repeat(6 * MiB),
    needle: `${half}b${half}`,
    tail: `b${half}${half}`,
    words: 'aB '.repeat(MiB),
    lines: '- a\n'.repeat(MiB),
    numbers: '1,'.repeat(MiB),
    objects: `[${'{},'.repeat(5 * MiB)}1]`,
    keys: `{${Array.from({ length: 100_000 }, (_, index) => `"k${index}":[]`).join(',')}}`,
  },
});

const bombs: Readonly<Record<string, string>> = {
  'many searches in a long text':
    '{{ $known := .known }}{{ range split "," .hosts }}{{ if $known | contains . }}x{{ end }}{{ end }}',
  'many digests of a long text': '{{ $x := .long }}{{ range loop 10000 }}{{ $x | sha256Hex }}{{ end }}',
  'many comparisons of long texts':
    '{{ $x := .long }}{{ $y := print $x }}{{ range loop 100000 }}{{ if eq $x $y }}{{ end }}{{ end }}',
  'a needle with an odd byte in its middle': '{{ .hay | contains .needle }}',
  'a needle with an odd byte at its start': '{{ .hay | sprig_contains .tail }}',
  'a separator with an odd byte': '{{ len (split .needle .hay) }}',
  'a replacement of a text with an odd byte': '{{ len (replaceAll .needle "" .hay) }}',
  'a key and a value around a text with an odd byte': '{{ len (splitToMap "," .needle .hay) }}',
  'a list that is sorted again and again':
    '{{ $l := split "," .hosts }}{{ range loop 1000 }}{{ $_ := sprig_sortAlpha $l }}{{ end }}',
  'a list that is looked through again and again':
    '{{ $l := split "," .hosts }}{{ range $l }}{{ if in $l . }}{{ end }}{{ end }}',
  'a long text that is parsed as YAML': '{{ range loop 100 }}{{ $_ := parseYAML $.lines }}{{ end }}',
  'a regular expression over a long text':
    '{{ range loop 1000 }}{{ $_ := regexReplaceAll "(a|B)+ ?" "$1" $.words }}{{ end }}',
  'a pattern that looks to the end for each of its matches':
    '{{ regexReplaceAll "a.*[bc]|a" "x" (sprig_trunc 200000 .hay) }}',
  'a pattern of many parts': '{{ regexReplaceAll "(a{0,30}){0,30}[bc]$" "x" (sprig_trunc 100000 .hay) }}',
  'a pattern out of a secret': '{{ regexMatch .numbers .numbers }}',
  'many YAML documents of a long text': '{{ range loop 1000 }}{{ $_ := toYAML $ }}{{ end }}',
  'a long JSON text of nothing much': '{{ parseJSON .objects }}',
  'a map that is ranged over within itself':
    '{{ define "down" }}{{ range . }}{{ template "down" . }}{{ end }}{{ end }}{{ $m := parseJSON .keys }}{{ $_ := sprig_set $m "a" $m }}{{ template "down" $m }}',
  'a map within itself as YAML': '{{ $m := parseJSON .keys }}{{ $_ := sprig_set $m "a" $m }}{{ toYAML $m }}',
  'a long text whose characters are shuffled': '{{ len (sprig_shuffle .long) }}',
  'many texts whose characters are shuffled':
    '{{ range loop 1000 }}{{ $_ := sprig_shuffle (sprig_trunc 100000 $.long) }}{{ end }}',
  'many hashes of a password':
    '{{ range loop 1000 }}{{ $_ := sprig_htpasswd "a" (sprig_bcrypt (sprig_trunc 72 $.long)) }}{{ end }}',
  'a long text that is encrypted again and again':
    '{{ range loop 1000 }}{{ $_ := sprig_encryptAES "a" $.long }}{{ end }}',
  'many JSON documents of a long text': '{{ range loop 1000 }}{{ $_ := toJSON $ }}{{ end }}',
};

for (const [name, body] of Object.entries(bombs)) {
  t.test(`${name} takes no more than its time`, async (t) => {
    const before = process.threadCpuUsage();
    const [, defined = '', rest = body] =
      /^(\{\{ define .*?\{\{ end \}\}\{\{ end \}\})(.*)$/s.exec(body) ?? [];
    const text = `${defined}{{ define "body" }}${rest}{{ end }}{{ with secret "val" }}{{ template "body" .Data }}{{ end }}`;
    // It may end with an error or with a text: what counts is that it ends.
    await execute(text, { lookup }).catch((error: unknown) => t.match(error, { code: 'template_failed' }));
    const { user, system } = process.threadCpuUsage(before);
    t.ok((user + system) / 1000 < 3000, `${Math.round((user + system) / 1000)} ms`);
  });
}

t.test('the time of an execution is its own, not what others take meanwhile', async (t) => {
  const limits = { processorMs: 5 };
  await t.rejects(execute('{{ range loop 500000 }}{{ end }}', { lookup, limits }), {
    code: 'template_failed',
    message: /execution takes more than 5 ms/,
  });
});
