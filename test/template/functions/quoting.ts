// Each quoting function by the program that reads its format: what comes back is what went in, or the template fails.
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import t, { type Test } from 'tap';
import { failureOf, lookupIn, outcome } from '../../support/render-text.ts';
import { createSeededRandom } from '../../support/seeded-random.ts';
import { testFolder } from '../../support/test-folder.ts';

const home = `$\{HOME}`;
const random = createSeededRandom(7);
const alphabet = [
  ...'aZ09 \t\n\'"`\\$#;:=!%&<>/@+,.~*?()[]{}|^-_',
  ...['ü', '密', '🔑', home, '\\n', '%41', "'\\''"],
];
const nasty: readonly string[] = [
  'plain',
  'r&d<x>',
  'it\'s $5 "quoted" `now`',
  'back\\slash\\\\two\\',
  ' blank at both ends ',
  'p#hash;semi=eq:colon!bang',
  `${home} $HOME $(id) \`id\` %HOME% %%`,
  `\\${home} \\\\${home}`,
  'two\nlines\tand a tab',
  '"double"',
  "'single'",
  'pässwörd 密码 🔑',
  '\\u0041 \\x41 \\101 \\s',
  'ends in à',
  'a\u2028b\u2029c\u00a0d\ufeffe',
  'ends in a blank of another alphabet\u3000',
  '\u2028and begins with one',
  'next line\u0085',
  '\ufeffbom',
  ...['null', 'true', 'yes', '0x1F', '1e3', '007', '[section]', '!include x'],
  ...Array.from({ length: 200 }, () =>
    Array.from(
      { length: 1 + Math.floor(random() * 12) },
      () => alphabet[Math.floor(random() * alphabet.length)],
    ).join(''),
  ),
];

/** The values that the function can quote, by name, and how many it refused. */
async function quoteAll(call: string): Promise<{ quoted: Map<string, [string, string]>; refused: string[] }> {
  const quoted = new Map<string, [string, string]>();
  const refused: string[] = [];
  for (const [index, value] of nasty.entries()) {
    const lookup = lookupIn({ s: { v: value } });
    const text = `{{ with secret "s" }}{{ ${call} .Data.v }}{{ end }}`;
    const result = await outcome(text, { lookup });
    if (typeof result === 'string') quoted.set(`K${index}`, [value, result]);
    else {
      refused.push(value);
      if (result.message.includes(value) && value.length > 3)
        throw new Error(`shows the value: ${result.message}`);
    }
  }
  return { quoted, refused };
}

interface Reader {
  readonly call: string;
  /** Commands that must be there. */
  readonly needs?: readonly string[];
  /** Only values of this kind may be refused. */
  readonly mayRefuse?: RegExp;
  /** Writes what is to be read, and tells what was read, by name. */
  read(t: Test, quoted: ReadonlyMap<string, string>): Record<string, string>;
}

function file(t: Test, name: string, text: string): string {
  const path = join(testFolder(t), name);
  writeFileSync(path, text);
  return path;
}

const lines = (quoted: ReadonlyMap<string, string>, mark = '=') =>
  [...quoted].map(([name, text]) => `${name}${mark}${text}\n`).join('');
const generator = '/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator';
const run = (command: string, args: readonly string[], env: Record<string, string> = {}) =>
  execFileSync(command, args, {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: '/root', ...env },
  });
const json = (text: string) => JSON.parse(text) as Record<string, string>;

function shellDump(path: string, quoted: ReadonlyMap<string, string>): Record<string, string> {
  const names = [...quoted.keys()];
  const program = `. "$1"; shift; for n; do eval "printf '%s\\0' \\"\\$$n\\""; done`;
  const values = run('sh', ['-c', program, 'sh', path, ...names]).split('\0');
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']));
}

const readers: Readonly<Record<string, Reader>> = {
  'a shell': {
    call: 'quoteShell',
    read: (t, quoted) => shellDump(file(t, 'env.sh', lines(quoted)), quoted),
  },
  'Node, of what all readers of .env agree on': {
    call: 'quoteDotenv',
    mayRefuse: /['\\$]/,
    read: (_t, quoted) => parseEnv(lines(quoted)) as Record<string, string>,
  },
  'a shell, of what all readers of .env agree on': {
    call: 'quoteDotenv',
    mayRefuse: /['\\$]/,
    read: (t, quoted) => shellDump(file(t, '.env', lines(quoted)), quoted),
  },
  'python-dotenv, of what all readers of .env agree on': {
    call: 'quoteDotenv',
    needs: ['python3', 'python3:dotenv'],
    mayRefuse: /['\\$]/,
    read: readByPythonDotenv,
  },
  'python-dotenv by name': {
    call: 'quoteDotenv "python"',
    needs: ['python3', 'python3:dotenv'],
    mayRefuse: /\$\{|\\$/,
    read: readByPythonDotenv,
  },
  'Node by name': {
    call: 'quoteDotenv "node"',
    mayRefuse: /'/,
    read: (_t, quoted) => parseEnv(lines(quoted)) as Record<string, string>,
  },
  PHP: {
    call: 'quotePHP',
    needs: ['php'],
    read: (t, quoted) => {
      const path = file(
        t,
        'config.php',
        `<?php return [${lines(quoted, '=>')
          .replaceAll(/^(K\d+)=>/gm, "'$1'=>")
          .replaceAll(/\n(?='K)/g, ',\n')}];`,
      );
      return json(run('php', ['-r', `echo json_encode(require $argv[1]);`, path]));
    },
  },
  "PHP's ini reader": {
    call: 'quoteIni',
    needs: ['php'],
    read: (t, quoted) =>
      json(
        run('php', ['-r', `echo json_encode(parse_ini_file($argv[1]));`, file(t, 'app.ini', lines(quoted))]),
      ),
  },
  "Python's configparser": {
    call: 'quoteConfigParser',
    needs: ['python3'],
    mayRefuse: /[\r\n]|^[\s\x85]|[\s\x85]$/,
    read: (t, quoted) =>
      json(
        run('python3', [
          '-c',
          'import configparser,json,sys; c=configparser.ConfigParser(); c.optionxform=str; c.read(sys.argv[1],encoding="utf8"); print(json.dumps(dict(c["s"])))',
          file(t, 'app.cfg', `[s]\n${lines(quoted)}`),
        ]),
      ),
  },
  "MySQL's option files": {
    call: 'quoteMyCnf',
    needs: ['my_print_defaults'],
    read: (t, quoted) => {
      const path = file(t, 'my.cnf', `[client]\n${lines(quoted)}`);
      const text = run('my_print_defaults', [`--defaults-file=${path}`, 'client']);
      return Object.fromEntries(
        text
          .replace(/\n$/, '')
          .split(/\n?^--(?=K\d+=)/m)
          .slice(1)
          .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
      );
    },
  },
  'java.util.Properties': {
    call: 'quoteProperties',
    needs: ['java'],
    read: (t, quoted) => {
      const program = file(
        t,
        'Read.java',
        `import java.util.*; import java.nio.file.*;
public class Read { public static void main(String[] a) throws Exception {
  Properties p = new Properties();
  try (var in = Files.newInputStream(Path.of(a[0]))) { p.load(in); }
  for (String k : p.stringPropertyNames())
    System.out.println(k + " " + HexFormat.of().formatHex(p.getProperty(k).getBytes("UTF-8")));
} }`,
      );
      const text = run('java', [
        '-XX:TieredStopAtLevel=1',
        program,
        file(t, 'app.properties', lines(quoted)),
      ]);
      return Object.fromEntries(
        text
          .trim()
          .split('\n')
          .map((line) => {
            const [name = '', hex = ''] = line.split(' ');
            return [name, Buffer.from(hex, 'hex').toString()];
          }),
      );
    },
  },
  'an XML parser': {
    call: 'quoteXML',
    needs: ['python3'],
    read: (t, quoted) => {
      const text = `<c>${[...quoted].map(([name, value]) => `<${name} a="${value}">${value}</${name}>`).join('')}</c>`;
      return json(
        run('python3', [
          '-c',
          'import json,sys,xml.etree.ElementTree as e; print(json.dumps({x.tag: x.text if x.text==x.get("a") else None for x in e.parse(sys.argv[1]).getroot()}))',
          file(t, 'app.xml', text),
        ]),
      );
    },
  },
  "Python's netrc": {
    call: 'quoteNetrc',
    needs: ['python3'],
    mayRefuse: /[\r\n]/,
    read: (t, quoted) => {
      const path = file(
        t,
        'netrc',
        [...quoted].map(([name, text]) => `machine ${name} login u password ${text}\n`).join(''),
      );
      return json(
        run('python3', [
          '-c',
          'import json,netrc,sys; print(json.dumps({k: v[2] for k, v in netrc.netrc(sys.argv[1]).hosts.items()}))',
          path,
        ]),
      );
    },
  },
  npm: {
    call: 'quoteNpmrc',
    needs: ['npm'],
    mayRefuse: /^[\s\x85]|[\s\x85]$|^(?:null|true)$/,
    read: (t, quoted) => {
      const path = file(t, 'npmrc', lines(quoted));
      return json(run('npm', ['config', 'list', '--json', '--userconfig', path], { HOME: testFolder(t) }));
    },
  },
  'a URL parser': {
    call: 'quoteURL',
    read: (_t, quoted) =>
      Object.fromEntries(
        [...quoted].map(([name, text]) => [
          name,
          decodeURIComponent(new URL(`postgres://app:${text}@127.0.0.1/db`).password),
        ]),
      ),
  },
  "systemd's environment files": {
    call: 'quoteSystemd',
    needs: [generator],
    // environment.d expands $NAME after reading, EnvironmentFile does not: the reader is the same, so what has a $ is left out.
    read: (t, quoted) => {
      const folder = testFolder(t);
      const kept = [...quoted].filter(([, text]) => !text.includes('$'));
      execFileSync('mkdir', ['-p', join(folder, 'environment.d')]);
      writeFileSync(
        join(folder, 'environment.d', 'a.conf'),
        kept.map(([name, text]) => `${name}=${text}\n`).join(''),
      );
      const text = run(generator, [], { XDG_CONFIG_HOME: folder });
      const names: Record<string, string> = { n: '\n', t: '\t', r: '\r' };
      const read = Object.fromEntries(
        [...text.matchAll(/(?<=^|\n)(K\d+)=(?:"((?:\\.|[^"\\])*)"|([^\n]*))(?=\n)/g)].map(
          ([, name = '', inQuotes, bare = '']) => [
            name,
            inQuotes?.replace(/\\(.)/g, (_whole, sign: string) => names[sign] ?? sign) ?? bare,
          ],
        ),
      );
      for (const [name, value] of quoted)
        if (value.includes('$')) read[name] = nasty[Number(name.slice(1))] ?? '';
      return read;
    },
  },
};

function readByPythonDotenv(t: Test, quoted: ReadonlyMap<string, string>): Record<string, string> {
  const program = 'import dotenv,json,sys; print(json.dumps(dotenv.dotenv_values(sys.argv[1])))';
  return json(run(pythonWithDotenv() ?? '', ['-c', program, file(t, '.env', lines(quoted))]));
}

function pythonWithDotenv(): string | undefined {
  return ['/usr/bin/python3', 'python3'].find((python) => {
    try {
      execFileSync(python, ['-c', 'import dotenv'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}

function lacks(need: string): boolean {
  if (need === 'python3:dotenv') return pythonWithDotenv() === undefined;
  if (need.startsWith('/')) return !existsSync(need);
  return !(process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, need)));
}

for (const [name, reader] of Object.entries(readers)) {
  const missing = reader.needs?.find(lacks);
  t.test(
    `${name} reads back what ${reader.call} wrote`,
    missing === undefined ? {} : { skip: `${missing} is not installed` },
    async (t) => {
      const { quoted, refused } = await quoteAll(reader.call);
      t.ok(quoted.size > nasty.length / 3, `most values have a spelling: ${quoted.size} of ${nasty.length}`);
      t.strictSame(
        refused.filter((value) => reader.mayRefuse?.test(value) !== true).slice(0, 5),
        [],
        'nothing is refused that the format can carry',
      );
      const read = reader.read(t, new Map([...quoted].map(([key, [, text]]) => [key, text])));
      const wrong = [...quoted].filter(([key, [value]]) => read[key] !== value);
      t.strictSame(
        wrong.slice(0, 5).map(([key, [value, text]]) => ({ value, text, read: read[key] })),
        [],
      );
    },
  );
}

t.test('what a format cannot carry fails and names the reason, never the value', async (t) => {
  const cases: readonly [call: string, value: string, reason: RegExp][] = [
    ['quoteShell', 'a\0b', /NUL byte/],
    ['quotePgpass', 'secret\nline', /line break/],
    ['quotePgService', ' secret', /blank at its end/],
    ['quoteSystemd', 'secret\x01', /control character/],
    ['quoteDotenv', `secret'"`, /name the reader/],
    ['quoteDotenv "ruby"', 'secret', /reader of node, python, shell/],
  ];
  for (const [call, value, reason] of cases) {
    const lookup = lookupIn({ s: { v: value } });
    const error = await failureOf(`{{ with secret "s" }}{{ ${call} .Data.v }}{{ end }}`, { lookup });
    t.match(error.message, reason);
    t.notMatch(error.message, /secret[^ "]/);
  }
});

t.test('what the reader would cut is refused, and the longest is read whole', async (t) => {
  const quote = async (call: string, v: string) =>
    await outcome(`{{ with secret "s" }}{{ ${call} .Data.v }}{{ end }}`, { lookup: lookupIn({ s: { v } }) });
  for (const [call, longest] of [
    ['quoteMyCnf', 3966],
    ['quoteNetrc', 3582],
  ] as const) {
    const value = 'p"w\\'.repeat(5000);
    t.match(
      await failureOf(`{{ with secret "s" }}{{ ${call} .Data.v }}{{ end }}`, {
        lookup: lookupIn({ s: { v: value } }),
      }),
      /bytes, and readers of this format stop at/,
      call,
    );
    const whole = 'x'.repeat(longest);
    t.equal(await quote(call, whole), `"${whole}"`);
    if (call !== 'quoteMyCnf' || lacks('my_print_defaults')) continue;
    const path = file(t, 'my.cnf', `[client]\npassword=${await quote(call, whole)}\n`);
    t.equal(run('my_print_defaults', [`--defaults-file=${path}`, 'client']), `--password=${whole}\n`);
  }
});
