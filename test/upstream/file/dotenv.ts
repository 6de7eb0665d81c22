import t from 'tap';
import { parseDotenv, setInDotenv, unquoteDotenv } from '../../../src/upstream/file/dotenv.ts';

const cases: readonly [string, Record<string, string>][] = [
  ['A=1', { A: '1' }],
  ['A=', { A: '' }],
  ['  export A = spaced out  \n', { A: 'spaced out' }],
  ['# comment\n\nA=1 # comment\nB=x#y\n', { A: '1', B: 'x#y' }],
  ["A='as $it \\n is # all'", { A: 'as $it \\n is # all' }],
  ['A="two\\nlines \\"quoted\\" \\$5 \\\\"', { A: 'two\nlines "quoted" $5 \\' }],
  ['A="first\nsecond"\nB=2', { A: 'first\nsecond', B: '2' }],
  ['A=`it\'s "both"`', { A: 'it\'s "both"' }],
  ['A=$HOME/$X', { A: '$HOME/$X' }],
  ['A=1\r\nB="2"\r\n', { A: '1', B: '2' }],
  ['\uFEFFA=1', { A: '1' }],
  ['A=1\nA=2', { A: '2' }],
  ['A=""\nB=#none\n', { A: '', B: '' }],
  [
    'KEY="-----BEGIN X-----\nabc==\n-----END X-----\n" # pem',
    { KEY: '-----BEGIN X-----\nabc==\n-----END X-----\n' },
  ],
  ['A=a"b\'c', { A: 'a"b\'c' }],
];

for (const [text, expected] of cases) {
  t.test(`reads ${JSON.stringify(text)}`, async (t) => {
    t.same(Object.fromEntries(parseDotenv(text, 'x')), expected);
  });
}

t.test('names the line of what is no assignment, and nothing of it', async (t) => {
  const refused: readonly [string, RegExp][] = [
    ['A=1\nhunter2 is mine\n', /^\.env:2: expected NAME=value$/],
    ['A="hunter2\n', /^\.env:1: expected a closing "$/],
    ["A='hunter2' hunter2", /^\.env:1: expected the end of the line after a quoted value$/],
    ['1A=hunter2', /^\.env:1: expected NAME=value$/],
  ];
  for (const [text, message] of refused)
    t.throws(() => parseDotenv(text, '.env'), { code: 'config_invalid', message });
});

t.test('a value that is set is read again as it was, and all else stays', async (t) => {
  const text = '# mine\nA=1\nexport B="old" # why\nC=3';
  const values = [
    '',
    'plain',
    'two words',
    "it's",
    'a\nb\r\nc',
    '$x `y` "z" \\n',
    '# no comment',
    ' spaced ',
    'ä€😀',
    'mix \' of \\ " all\n$',
  ];
  for (const value of values) {
    for (const name of ['B', 'NEW']) {
      const changed = setInDotenv(text, name, value, 'x');
      t.equal(parseDotenv(changed, 'x').get(name), value, JSON.stringify(value));
      t.equal(parseDotenv(changed, 'x').get('A'), '1');
      t.equal(parseDotenv(changed, 'x').get('C'), '3');
      t.match(changed, /^# mine\nA=1\n/);
    }
  }
  t.equal(setInDotenv(text, 'B', 'new', 'x'), '# mine\nA=1\nB=new # why\nC=3');
  t.equal(setInDotenv('', 'A', '1', 'x'), 'A=1\n');
});

t.test('takes the quotes off a value alone', async (t) => {
  t.equal(unquoteDotenv('"a\\nb"'), 'a\nb');
  t.equal(unquoteDotenv('"a" and "b"'), '"a" and "b"');
  t.equal(unquoteDotenv("'"), "'");
  t.equal(unquoteDotenv(''), '');
});
