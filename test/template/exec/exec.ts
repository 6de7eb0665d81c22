import t from 'tap';
import type { Lookup } from '../../../src/template/exec/lookup.ts';
import { execute, failureOf, lookupIn, outcome } from '../../support/render-text.ts';

t.test('templates call themselves as deep as Go allows, then fail clearly', async (t) => {
  const counting =
    '{{ define "r" }}{{ if gt . 0 }}{{ template "r" (subtract 1 .) }}{{ else }}bottom{{ end }}{{ end }}';
  t.equal(await outcome(`${counting}{{ template "r" 90000 }}`), 'bottom');
  const endless = await failureOf('{{ define "r" }}{{ template "r" }}{{ end }}{{ template "r" }}');
  t.match(
    endless.message,
    /executing "r" at <\{\{template "r"\}\}>: exceeded maximum template depth \(100000\)$/,
  );
});

/** Whichever comes first: on a slow machine the time. */
const tooMuch = /more than 2000000 steps|takes more than 600 ms/;

t.test('ends what would not end, with the limit in the error', async (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['{{ range loop 1000000000000 }}{{ end }}', tooMuch],
    ['{{ range 1000000000000 }}{{ end }}', tooMuch],
    [
      '{{ range loop 1000000000000 }}0123456789012345678901234567890123456789{{ end }}',
      /output is longer than/,
    ],
    ['{{ $x := "12345678" }}{{ range 100 }}{{ $x = print $x $x }}{{ end }}', /text is longer than/],
    ['{{ range 1000 }}{{ $x := printf "%1000000d" 1 }}{{ end }}', tooMuch],
    ['{{ range loop 20000 }}{{ $x := secret (printf "kv/%d" .) }}{{ end }}', /more than 10000 secrets/],
    ['{{ define "r" }}{{ executeTemplate "r" }}{{ end }}{{ executeTemplate "r" }}', /nested deeper than/],
  ];
  for (const [text, wanted] of cases) {
    const { failure } = await execute(text).catch((error: unknown) => ({ failure: error as Error }));
    t.match(failure?.message, wanted, text);
  }
});

t.test('goes over any number of mistakes quickly when something is missing', async (t) => {
  const mistakes = '{{ index 1 2 }}{{ "x" | parseInt }}'.repeat(10_000);
  const values = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, `value-${i}`]));
  const text = `{{ $s := secret "kv/a" }}{{ secret "kv/missing" }}${mistakes}{{ secret "kv/last" }}`;
  const { missing, failure } = await execute(text, { lookup: lookupIn({ 'kv/a': values }) });
  t.same(
    missing.map(({ path }) => path),
    ['kv/missing', 'kv/last'],
  );
  t.match(failure?.message, /at <index 1 2>/);
});

t.test('warns of so many places only', async (t) => {
  const { warnings } = await execute(`{{ with sprig_dict "y" 1 }}${'{{ .x }}'.repeat(200_000)}{{ end }}`);
  t.equal(warnings.length, 100);
});

t.test('limits can be set', async (t) => {
  t.match(
    (await failureOf('{{ range 10 }}{{ . }}{{ end }}', { limits: { steps: 5 } })).message,
    /more than 5 steps/,
  );
  t.match((await failureOf('123456', { limits: { outputBytes: 5 } })).message, /longer than 5 bytes/);
});

t.test('collects all that is missing in one pass, in order of first use', async (t) => {
  const text = [
    'user={{ (secret "kv/a").Data.user | toUpper }}',
    '{{ $b := (secret "kv/b").Data.list | join "," }}{{ $b }}',
    '{{ range secrets "kv/list" }}{{ . }}{{ end }}',
    '{{ if eq ((secret "kv/c").Data.n | toUpper) "X" }}{{ secret "kv/hidden" }}{{ end }}',
    '{{ define "t" }}{{ index (secret "kv/d").Data "x" }}{{ (secret "kv/a").Data.user }}{{ end }}{{ template "t" }}end',
  ].join('\n');
  const result = await execute(text);
  t.same(
    result.missing.map(({ kind, path }) => `${kind} ${path}`),
    ['read kv/a', 'read kv/b', 'list kv/list', 'read kv/c', 'read kv/d'],
  );
  t.match(
    result.failure?.message,
    /app\.ctmpl:1:\d+: executing .* at <toUpper>: invalid value; expected string/,
  );
  t.match(result.failure?.remedy, /kv\/a is not there yet/);
});

t.test('says of each missing secret why it is missing', async (t) => {
  const lookup: Lookup = ({ path }) =>
    path === 'kv/gone'
      ? { status: 'absent', reason: 'vault answers 404' }
      : { status: 'pending', reason: 'logging in' };
  const { missing } = await execute('{{ secret "kv/gone" }}{{ secret "kv/new?version=2" }}', { lookup });
  t.match(missing, [
    { path: 'kv/gone', status: 'absent', reason: 'vault answers 404' },
    { path: 'kv/new', parameters: { version: '2' }, status: 'pending', reason: 'logging in' },
  ]);
});

t.test('nothing is written with what is still missing', async (t) => {
  const asked: string[] = [];
  const secrets = lookupIn({ 'kv/a': { name: 'shop' } });
  const text =
    '{{ $a := secret "kv/a" }}{{ with $a }}{{ end }}{{ secret "pki/issue/web" "ttl=1h" }}' +
    '{{ $name := "" }}{{ with $a }}{{ $name = .Data.name }}{{ end }}{{ secret "pki/issue/web" (printf "common_name=%s" $name) }}';
  const run = (isThere: boolean) =>
    execute(text, {
      lookup(dependency) {
        if (dependency.kind !== 'write') return isThere ? secrets(dependency) : { status: 'pending' };
        asked.push(Object.values(dependency.parameters).join());
        return isThere ? secrets({ ...dependency, path: 'kv/a' }) : { status: 'pending' };
      },
    });
  t.equal((await run(false)).missing.length, 3, 'all is told as missing');
  t.same(asked, ['1h'], 'what is literal is asked for at once');
  await run(true);
  t.same(asked, ['1h', '1h', 'shop']);
});

t.test('a failure with nothing missing is thrown', async (t) => {
  const lookup = lookupIn({ 'kv/a': { user: 'u' } });
  const error = await failureOf('{{ with secret "kv/a" }}{{ .Data.user | parseInt }}{{ end }}', { lookup });
  t.match(error, { code: 'template_failed', line: 1, column: 40 });
});

t.test('asks once for equal dependencies', async (t) => {
  const asked: string[] = [];
  const lookup: Lookup = ({ path }) => {
    asked.push(path);
    return { status: 'pending' };
  };
  const { used } = await execute('{{ range 3 }}{{ secret "kv/a" }}{{ secret "/kv/a/" }}{{ end }}', {
    lookup,
  });
  t.same(asked, ['kv/a']);
  t.equal(used.length, 1);
});

t.test('a range over a channel takes what an earlier one left', async (t) => {
  const text =
    '{{ $c := loop 4 }}{{ range $c }}{{ . }}{{ if eq . 1 }}{{ break }}{{ end }}{{ end }}|{{ range $c }}{{ . }}{{ end }}';
  t.equal(await outcome(text), '01|23');
});
