import t from 'tap';
import { nodeText } from '../../../src/template/parse/node.ts';
import { type ParsedTemplates, parse } from '../../../src/template/parse/parse.ts';
import { deepestNesting } from '../../../src/template/parse/tree.ts';
import { failureOf, outcome } from '../../support/render-text.ts';

function parsed(text: string): ParsedTemplates {
  return parse({
    name: 'x',
    text,
    leftDelimiter: '{{',
    rightDelimiter: '}}',
    isFunction: (name) => name !== 'nope',
    functionNames: () => ['node'],
  });
}

t.test('writes nodes as Go does', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['{{ .a.b  1 "x" }}', '{{.a.b 1 "x"}}'],
    ['{{ $x := (print  `y` | f).a.b }}', '{{$x := (print `y` | f).a.b}}'],
    ["{{ f 'a' 0x1F 1_0 nil true . $ }}", "{{f 'a' 0x1F 1_0 nil true . $}}"],
    ['{{ template "a\\x41" . | f }}', '{{template "aA" . | f}}'],
  ];
  for (const [text, wanted] of cases) {
    const [node] = parsed(text).lists.get('x')?.nodes ?? [];
    t.ok(node?.kind === 'action' || node?.kind === 'template');
    if (node?.kind === 'action' || node?.kind === 'template') t.equal(nodeText(node), wanted);
  }
});

t.test('tells which functions are used, in every template', async (t) => {
  const { usedFunctions } = parsed(
    '{{ define "d" }}{{ a (b 1) }}{{ end }}{{ if c }}{{ else }}{{ d | e }}{{ end }}',
  );
  t.same([...usedFunctions.keys()].sort(), ['a', 'b', 'c', 'd', 'e']);
});

t.test('names the place, and the function that was meant', async (t) => {
  const error = await failureOf('a\n {{ print 1 }}{{ toUPPER "x" }}');
  t.match(error, { code: 'template_invalid', templateName: 'app.ctmpl', line: 2, column: 17 });
  t.equal(error.message, 'template: app.ctmpl:2: function "toUPPER" not defined');
  t.equal(error.remedy, 'did you mean toUpper?');
});

t.test('tells what was meant by what cannot be parsed', async (t) => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['{{ .Data.data.db-pass }}', 'did you mean (index .Data.data "db-pass")?'],
    ['{{ $s := 1 }}{{ $s.db-pass }}', 'did you mean (index $s "db-pass")?'],
    ['{{ .db-pass.x }}', 'did you mean (index . "db-pass")?'],
    ['{{ .Data.data["pass"] }}', 'did you mean (index .Data.data "pass")?'],
    ['{{ .Data.hosts[0] }}', 'did you mean (index .Data.hosts 0)?'],
    ['{{ $m[ $k ] }}', 'did you mean (index $m $k)?'],
    ['{{ .a[] }}', 'elements are read with index'],
    ['{{ with secret secret/data/app-1 }}', 'did you mean "secret/data/app-1"?'],
    ["{{ secret 'secret/app' }}", 'strings stand in double quotes or back quotes'],
    ['{{ upper "x" }}', 'did you mean sprig_upper?'],
    ['a\n{{ with 1 }}{{ if 2 }}{{ end }}', 'the {{with}} in line 2 has no {{end}}'],
    ['{{ if 1 }}\n{{ else }}', 'the {{if}} in line 1 has no {{end}}'],
    ['\n{{ define "a" }}', 'the {{define}} in line 2 has no {{end}}'],
    ['\n{{ block "a" . }}', 'the {{block}} in line 2 has no {{end}}'],
    ['{{ with $s := 1 }}{{ end }}{{ $s }}', 'it is declared in a block that has ended'],
    ['{{ $s }}', undefined],
    ['{{ 1 + 2 }}', undefined],
  ];
  for (const [text, remedy] of cases) t.equal((await failureOf(text)).remedy, remedy, text);
});

t.test('nests up to its limit, and says so beyond', async (t) => {
  const nested = (depth: number) => `{{ ${'('.repeat(depth)}1${')'.repeat(depth)} }}`;
  t.equal(await outcome(nested(deepestNesting)), '1');
  t.match((await failureOf(nested(deepestNesting + 1))).message, /nested deeper than 500/);
});

t.test('reads a chain of else if of any length', async (t) => {
  t.equal(await outcome(`{{ if 0 }}${'{{ else if 0 }}'.repeat(20_000)}{{ else }}z{{ end }}`), 'z');
});
