import t from 'tap';
import {
  type DocumentMap,
  findNode,
  leafPaths,
  parseDocument,
  setNode,
  toJson,
  writeJson,
  writeYaml,
} from '../../../src/upstream/file/document.ts';

const json = (document: DocumentMap) => JSON.stringify(toJson(document));

t.test('reads JSON and YAML with the digits and the order as they are', async (t) => {
  t.equal(
    json(
      parseDocument(
        'b: 1.50\na: 123456789012345678901234567890\npin: 007\nday: 2020-01-01\nyes: yes\non: true\nnothing: ~\n',
        'x',
      ),
    ),
    '{"b":1.50,"a":123456789012345678901234567890,"pin":"007","day":"2020-01-01","yes":"yes","on":true,"nothing":null}',
  );
  t.equal(
    json(parseDocument('{"a":{"b":[1e3,"\\u00e4\\n"]},"__proto__":{"x":1}}', 'x')),
    '{"a":{"b":[1e3,"ä\\n"]},"__proto__":{"x":1}}',
  );
  t.same([...parseDocument('"10": a\n"2": b\n', 'x').keys()], ['10', '2']);
  t.equal(parseDocument('', 'x').size, 0);
  t.equal(
    json(parseDocument('base: &b {u: joe}\napp: {<<: *b, p: x}\n', 'x')),
    '{"base":{"u":"joe"},"app":{"u":"joe","p":"x"}}',
  );
});

t.test('says where a text cannot be read, and nothing of it', async (t) => {
  t.throws(() => parseDocument('a: hunter2\n  b: [hunter2', 'f.yaml'), {
    code: 'config_invalid',
    message: /^f\.yaml:2:\d+: not valid YAML or JSON$/,
  });
  t.throws(() => parseDocument('- hunter2', 'f.yaml'), {
    message: 'f.yaml: expected a map of secrets at the top',
  });
  t.throws(() => parseDocument('a: 1\na: 2', 'f.yaml'), { code: 'config_invalid' }, 'a name twice');
  const bomb = `a: &a [x]\n${Array.from({ length: 1100 }, (_, n) => `k${n}: *a`).join('\n')}`;
  t.throws(() => parseDocument(bomb, 'f.yaml'), { code: 'config_invalid' }, 'too many aliases');
});

t.test('what is written is read again as it was', async (t) => {
  const document = parseDocument(
    'db: {user: joe, port: 5432, ratio: 1.50, pin: "007", text: "5", key: "a\\nb\\n"}\nlist: [1, x]\nno: null\n',
    'x',
  );
  t.equal(json(parseDocument(writeYaml(document), 'x')), json(document));
  t.equal(json(parseDocument(writeJson(document), 'x')), json(document));
  t.match(writeYaml(document), /port: 5432\n {2}ratio: 1\.50\n {2}pin: '007'\n/);
  t.equal(writeYaml(new Map()), '');
});

t.test('finds what a path names', async (t) => {
  const document = parseDocument(
    'db: {primary: {user: joe}, list: [a, {b: c}]}\n"db/replica": {user: ann}\n',
    'x',
  );
  const at = (path: string) => {
    const node = findNode(document, path);
    return node === undefined ? undefined : toJson(node);
  };
  t.same(at('db/primary'), { user: 'joe' });
  t.equal(at('db/primary/user'), 'joe');
  t.same(at('db/replica'), { user: 'ann' });
  t.equal(at('db/list/0'), 'a');
  t.equal(at('db/list/1/b'), 'c');
  for (const path of ['nothing', 'db/none', 'db/list/7', 'db/list/x', 'db/primary/user/x'])
    t.equal(at(path), undefined, path);
  t.same(leafPaths(document), ['db/primary/user', 'db/list', 'db/replica/user']);
});

t.test('makes the way to what is set, and does not overwrite a value with a map', async (t) => {
  const document = parseDocument('a: {b: 1}\n', 'x');
  setNode(document, 'a/c/d', 'new');
  setNode(document, 'e', 'top');
  t.equal(json(document), '{"a":{"b":1,"c":{"d":"new"}},"e":"top"}');
  t.throws(() => setNode(document, 'e/f', 'x'), { code: 'usage', message: /^e is a value/ });
});
