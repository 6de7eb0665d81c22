import t from 'tap';
import { emptyHost, failureOf, outcome } from '../../../support/render-text.ts';

const host = {
  ...emptyHost,
  now: () => new Date('2024-02-09T03:07:05.123Z'),
  env: (name: string) => ({ A: 'größe' })[name],
};

const cases: readonly (readonly [template: string, output: string])[] = [
  ['{{ timestamp }}', '2024-02-09T03:07:05Z'],
  ['{{ timestamp "unix" }}', '1707448025'],
  ['{{ timestamp "Mon Jan _2 15:04:05.000 MST 2006" }}', 'Fri Feb  9 03:07:05.123 UTC 2024'],
  ['{{ timestamp "3:04PM 2006-01-02 -07:00 Z07:00" }}', '3:07AM 2024-02-09 +00:00 Z'],
  ['{{ env "A" }} {{ len (env "A") }} {{ envOrDefault "B" "b" }}', 'größe 7 b'],
];

for (const [template, output] of cases) {
  t.test(`gives ${output} for ${template}`, async (t) => {
    t.equal(await outcome(template, { host }), output);
  });
}

t.test('functions of Consul and Nomad say that there is no such source', async (t) => {
  t.match(
    (await failureOf('{{ key "a" }}')).message,
    /error calling key: key asks Consul, and no such source is configured/,
  );
  t.match((await failureOf('{{ range service "web" }}{{ end }}')).message, /service asks Consul/);
  t.match((await failureOf('{{ nomadVar "a" }}')).message, /nomadVar asks Nomad/);
});

t.test('what is random or asks the clock is refused', async (t) => {
  for (const call of [
    'sprig_bcrypt "a"',
    'sprig_shuffle "abc"',
    'sprig_randInt 1 2',
    'sprig_genCA "a" 1',
    'sprig_ago 1',
  ]) {
    t.match((await failureOf(`{{ ${call} }}`)).message, /gives another result at each execution/);
  }
});
