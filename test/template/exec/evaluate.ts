import t from 'tap';
import { describeError } from '../../../src/base/errors.ts';
import { JsonNumber } from '../../../src/base/text/json.ts';
import { execute, failureOf, lookupIn, outcome } from '../../support/render-text.ts';

const kv2 = { data: { password: 'hunter2', user: 'svc' }, metadata: { version: new JsonNumber('3') } };
const kv1 = { password: 'hunter2', port: new JsonNumber('5432') };
const lookup = lookupIn({ 'secret/data/app': kv2, 'kv/app': kv1 });

async function remedyOf(
  expression: string,
  path = 'secret/data/app',
  isMissingKeyError = true,
): Promise<string | undefined> {
  const text = `{{ with secret "${path}" }}{{ ${expression} }}{{ end }}`;
  return (await failureOf(text, { lookup, isMissingKeyError })).remedy;
}

t.test('knows the two shapes of KV', async (t) => {
  t.equal(
    await remedyOf('.Data.password'),
    'did you mean .Data.data.password? (the secret is of KV version 2)',
  );
  t.equal(
    await remedyOf('.Data.data.password', 'kv/app', false),
    'did you mean .Data.password? (the secret is not of KV version 2)',
  );
  t.equal(
    await remedyOf('.Data.data.password', 'kv/app'),
    'did you mean .Data.password? (the secret is not of KV version 2)',
  );
});

t.test('warns where Go prints <no value>', async (t) => {
  const result = await execute('\n{{ with secret "secret/data/app" }}{{ .Data.password }}{{ end }}', {
    lookup,
  });
  t.equal(result.output.toString(), '\n<no value>');
  t.match(result.warnings, [
    { line: 2, column: 43, message: /map has no entry for key "password"; did you mean/ },
  ]);
});

t.test('warns of a field that is not there only where <no value> is printed', async (t) => {
  const template = '{{ with secret "kv/app" }}{{ if .Data.pasword }}{{ end }}{{ .Data.pasword }}{{ end }}';
  const { warnings } = await execute(template, { lookup });
  t.same(warnings, [
    {
      line: 1,
      column: 65,
      message: 'prints <no value>: map has no entry for key "pasword"; did you mean .Data.password?',
    },
  ]);
});

t.test('names the field that was meant', async (t) => {
  t.equal(await remedyOf('.Data.data.pasword'), 'did you mean .Data.data.password?');
  t.equal(await remedyOf('.data.user'), 'did you mean .Data?');
  t.equal(await remedyOf('.Data.data.nothing_like_it'), undefined);
});

t.test('tells how to go on with what a secret gives', async (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['.Data.port | toUpper', /got json\.Number; \.String makes a string/],
    ['indent .Data.port "x"', /got json\.Number; sprig_int makes an int/],
    ['parseJSON "[1]" | join ","', /got \[\]interface {}; sprig_join takes any list/],
    ['eq .Data.port 5432', /incompatible types for comparison; a number of a secret is a string/],
    ['lt .Data.port 5432', /incompatible types for comparison; a number of a secret is a string/],
    [
      'range .Data }}{{ .Data.port }}{{ end',
      /can't evaluate field Data in .*; within range and with the dot is/,
    ],
    ['$p = 1', /undefined variable: \$p; {{ \$p := … }} declares a variable/],
  ];
  for (const [expression, wanted] of cases) {
    const error = await failureOf(`{{ with secret "kv/app" }}{{ ${expression} }}{{ end }}`, { lookup });
    t.match(describeError(error), wanted, expression);
  }
});

t.test('never shows the value of a secret in an error', async (t) => {
  const expressions = [
    'parseInt .Data.password',
    '.Data.password | parseBool',
    'range .Data.password }}{{ end',
    'eq .Data .Data',
    'add .Data.password 1',
    '.Data.port.Nope',
    'secret "x" .Data.password',
    'index (split "," "a") .Data.password',
    'executeTemplate .Data.password',
    'parseJSON .Data.password',
    'parseYAML (print "{" .Data.password)',
    'regexMatch (print "(" .Data.password) "x"',
    'timestamp .Data.password .Data.password',
    'printf .Data.password 1 | parseInt',
    'toUpper .Data.password | parseUint',
    'sprig_fail .Data.password',
    'indent .Data.port "x"',
    '.Data.password.x',
    'call .Data.password',
    '.Data.password | call',
  ];
  for (const expression of expressions) {
    const text = `{{ with secret "kv/app" }}{{ ${expression} }}{{ end }}`;
    const result = await execute(text, { lookup }).catch((error: unknown) => ({ failure: error as Error }));
    t.ok(result.failure, expression);
    t.notMatch(result.failure?.message, /hunter2|HUNTER2|5432/i, expression);
  }
});

t.test('and and or stop at the value that decides', async (t) => {
  t.equal(
    await outcome('{{ and 0 (index nil 1) }}{{ or 1 (index nil 1) }}{{ and 1 2 }}{{ 3 | or 0 }}'),
    '0123',
  );
});

t.test('methods of numbers take no arguments', async (t) => {
  const text =
    '{{ with secret "kv/app" }}{{ .Data.port.Int64 }} {{ printf "%T" .Data.port.Float64 }}{{ end }}';
  t.equal(await outcome(text, { lookup }), '5432 float64');
});
