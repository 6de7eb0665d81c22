import t from 'tap';
import { JsonNumber, type JsonObject } from '../../../../src/base/text/json.ts';
import type { Dependency, Lookup, LookupAnswer } from '../../../../src/template/exec/lookup.ts';
import { emptyHost, execute, failureOf, outcome, secretOf } from '../../../support/render-text.ts';

const database: JsonObject = { username: 'app', password: 'hunter2', port: new JsonNumber('5432') };

/** Answers by `kind path`; what is not there is pending, `null` is absent. */
function answers(known: Readonly<Record<string, JsonObject | null>>): Lookup {
  const secrets = new Map(Object.entries(known).map(([key, data]) => [key, data && secretOf(data)]));
  return ({ kind, path }: Dependency): LookupAnswer => {
    const secret = secrets.get(`${kind} ${path}`);
    if (secret === undefined) return { status: 'pending' };
    return secret === null ? { status: 'absent', reason: 'no such secret' } : { status: 'ready', secret };
  };
}

const lookup = answers({
  'name database': database,
  'name one': { word: 'w' },
  'name gone': null,
  'read kv/app': database,
  'read kv/gone': null,
});

const rendered: readonly (readonly [template: string, output: string])[] = [
  ['{{ field "database" "password" }}', 'hunter2'],
  ['{{ field "database" "port" }} {{ printf "%T" (field "database" "port") }}', '5432 json.Number'],
  [
    '{{ range $k, $v := fields "database" }}{{ $k }}={{ $v }};{{ end }}',
    'password=hunter2;port=5432;username=app;',
  ],
  ['{{ (fields "database").username }}', 'app'],
  [
    '{{ secretExists "database" }} {{ secretExists "gone" }} {{ secretExists "kv/app" }} {{ secretExists "kv/gone" }}',
    'true false true false',
  ],
  ['{{ secretExists "database" "port" }} {{ secretExists "database" "toString" }}', 'true false'],
  [
    '{{ secretOrDefault "gone" "password" "none" }} {{ secretOrDefault "kv/app" "password" "none" }}',
    'none hunter2',
  ],
  ['{{ secretOrDefault "database" "nope" 7 }}', '7'],
  ['{{ with secretOrDefault "kv/app" nil }}{{ .Data.username }}{{ end }}', 'app'],
  ['{{ with secretOrDefault "kv/gone" nil }}x{{ else }}default{{ end }}', 'default'],
];

for (const [template, output] of rendered) {
  t.test(`renders ${template}`, async (t) => {
    const result = await execute(template, { lookup });
    t.same(result.missing, []);
    t.equal(result.output.toString(), output);
  });
}

t.test('goes on without what has not come, and names all of it', async (t) => {
  const template =
    '{{ field "later" "a" | toUpper }}{{ range fields "other" }}x{{ end }}{{ secretOrDefault "third" "f" "d" }}{{ if secretExists "kv/fourth" }}x{{ end }}{{ with pkiCert "pki/issue/web" "common_name=a" }}{{ .Cert }}{{ end }}';
  const { missing, failure, output } = await execute(template, { lookup });
  t.equal(failure, null);
  t.equal(output.toString(), 'd');
  t.same(
    missing.map(({ kind, path }) => `${kind} ${path}`),
    ['name later', 'name other', 'name third', 'read kv/fourth', 'write pki/issue/web'],
  );
});

t.test('a secret that is not there is missing for field and fields', async (t) => {
  const { missing } = await execute('{{ field "gone" "a" }}{{ fields "gone" }}', { lookup });
  t.same(
    missing.map(({ path, status }) => [path, status]),
    [['gone', 'absent']],
  );
});

t.test('names the field that is meant, never a value', async (t) => {
  const { message } = await failureOf('{{ field "database" "pasword" }}', { lookup });
  t.match(message, /secret "database" has no field "pasword"; did you mean "password"\?/);
  t.notMatch(message, /hunter2/);
  const far = await failureOf('{{ field "database" "xyz" }}', { lookup });
  t.match(far.message, /no field "xyz"; it has 3 fields$/m);
  const single = await failureOf('{{ field "one" "xyz" }}', { lookup });
  t.match(single.message, /no field "xyz"; it has 1 field$/m);
});

t.test('an execution that changes a secret changes it for itself alone', async (t) => {
  const template =
    '{{ with secret "kv/app" }}{{ .Data.password }}{{ $_ := sprig_set .Data "password" "changed" }}{{ $_ := sprig_unset .Data "username" }}{{ end }}';
  t.equal(await outcome(template, { lookup }), 'hunter2');
  t.equal(await outcome(template, { lookup }), 'hunter2');
  const fields =
    '{{ $f := fields "database" }}{{ $f.password }}{{ $_ := sprig_set $f "password" "changed" }}';
  t.equal(await outcome(fields, { lookup }), 'hunter2');
  t.equal(await outcome(fields, { lookup }), 'hunter2');
  const merged =
    '{{ with secret "kv/app" }}{{ $_ := mergeMapWithOverride .Data (sprig_dict "password" "x") }}{{ end }}';
  const stored =
    '{{ with secret "kv/app" }}{{ scratch.Set "m" .Data }}{{ scratch.MapSet "m" "password" "x" }}{{ end }}';
  for (const change of [merged, stored]) {
    t.equal(await outcome(`${change}{{ (secret "kv/app").Data.password }}`, { lookup }), 'x');
    t.equal(await outcome('{{ (secret "kv/app").Data.password }}', { lookup }), 'hunter2');
  }
});

t.test('the arguments of a write become its parameters, the query of a read too', async (t) => {
  const asked: Dependency[] = [];
  const record: Lookup = (dependency) => {
    asked.push(dependency);
    return { status: 'pending' };
  };
  await execute(
    '{{ secret "/pki/issue/web/" "common_name=a=b" " ttl = 1h " "" }}{{ secret "kv/a%20b?version=2#x" }}',
    {
      lookup: record,
      host: emptyHost,
    },
  );
  t.same(asked, [
    {
      kind: 'write',
      path: 'pki/issue/web',
      parameters: { common_name: 'a=b', ttl: '1h' },
      // Literals of the template: an error may show them.
      shownParameters: ['common_name', 'ttl'],
    },
    { kind: 'read', path: 'kv/a b', parameters: { version: '2' } },
  ]);
});
