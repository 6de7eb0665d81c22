// Parse time, execution time and memory of a template of 1,000 lines with 200 lookups. Run: node test/bench/template.ts
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { JsonObject } from '../../src/base/text/json.ts';
import type { Host } from '../../src/template/exec/function-table.ts';
import type { Dependency, LookupAnswer } from '../../src/template/exec/lookup.ts';
import { parseTemplate, type Template } from '../../src/template/template.ts';

const lookups = 200;
const rounds = 200;
const host: Host = { env: () => undefined, now: () => new Date(0) };

const text = Array.from({ length: lookups }, (_, i) => block(i)).join('');
const answers = new Map(Array.from({ length: lookups }, (_, i) => [`secret/data/app-${i}`, answer(i)]));

function block(i: number): string {
  return `# service ${i}
{{ with secret "secret/data/app-${i}" -}}
user = {{ .Data.data.user | toUpper }}, password = {{ .Data.data.password | toJSON }}
{{ range $i, $host := .Data.data.hosts }}{{ if $i }},{{ end }}{{ printf "%s:%d" $host (add 5432 $i) }}{{ end }}
{{- end }}
`;
}

function answer(i: number): LookupAnswer {
  const fields: JsonObject = {
    user: `user-${i}`,
    password: `pass-${i}-<&>`,
    hosts: ['a.example', 'b.example'],
  };
  const data: JsonObject = { data: fields, metadata: { created_time: '2024-01-01T00:00:00Z' } };
  const base = { requestId: '', leaseId: '', leaseDurationSeconds: 0, isRenewable: false };
  return { status: 'ready', secret: { ...base, data, warnings: null, auth: null, wrapInfo: null, fields } };
}

function lookup({ path }: Dependency): LookupAnswer {
  return answers.get(path) ?? { status: 'pending' };
}

async function timed<T>(run: () => T | Promise<T>): Promise<{ value: T; ms: number }> {
  const start = performance.now();
  const value = await run();
  return { value, ms: performance.now() - start };
}

function summary(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(2);
  return `median ${at(0.5)} ms, p99 ${at(0.99)} ms`;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapAfterCollection(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

// The modules of the functions that it calls are loaded once in a process, by the first template that names them.
const load = await timed(() => parseTemplate({ name: 'functions', text: block(0) }));
const cold = await timed(() => parseTemplate({ name: 'bench', text }));
const first = await timed(() => cold.value.execute({ lookup, host }));
const parses: number[] = [];
const executions: number[] = [];
const before = heapAfterCollection();
let template: Template = cold.value;
for (let i = 0; i < rounds; i++) {
  const parsed = await timed(() => parseTemplate({ name: 'bench', text }));
  template = parsed.value;
  parses.push(parsed.ms);
  executions.push((await timed(() => template.execute({ lookup, host }))).ms);
}
const after = heapAfterCollection();
const one = await parseTemplate({ name: 'bench', text });
const perTemplate = heapAfterCollection() - after;
const kib = (bytes: number): string => `${Math.round(bytes / 1024)} KiB`;

console.log(
  `${text.split('\n').length - 1} lines, ${lookups} lookups, ${first.value.output.length} bytes rendered`,
);
console.log(`load     ${load.ms.toFixed(2)} ms, the functions that it calls`);
console.log(`parse    first ${cold.ms.toFixed(2)} ms, then ${summary(parses)}`);
console.log(`execute  first ${first.ms.toFixed(2)} ms, then ${summary(executions)}`);
console.log(
  `memory   ${kib(perTemplate)} for ${one.name} parsed, ${kib(after - before)} kept after ${rounds} rounds`,
);
