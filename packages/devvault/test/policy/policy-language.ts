import t from 'tap';
import { parsePolicy } from '../../src/policy/policy-language.ts';

t.test('reads HCL with comments, old forms, parameters and event types', async (t) => {
  const rules = parsePolicy(`
    # one
    path "a/*" { capabilities = ["read", "list",] } // two
    /* three */
    path "b" { policy = "write" }
    path "c" {
      capabilities = ["create", "subscribe"]
      allowed_parameters = { "color" = ["red", 5, true], "*" = [] }
      required_parameters = ["color"]
      subscribe_event_types = ["kv*"]
    }`);
  t.match(rules, [
    { path: 'a/*', capabilities: ['read', 'list'] },
    { path: 'b', capabilities: ['create', 'read', 'update', 'delete', 'list'] },
    {
      path: 'c',
      requiredParameters: ['color'],
      subscribeEventTypes: ['kv*'],
      allowedParameters: { color: ['red'], '*': [] },
    },
  ]);
});

t.test('reads the JSON form', async (t) => {
  t.match(
    parsePolicy('{"path": {"a": {"capabilities": ["read"]}, "b": [{"capabilities": ["deny", "read"]}]}}'),
    [
      { path: 'a', capabilities: ['read'] },
      { path: 'b', capabilities: ['deny'] },
    ],
  );
});

t.test('refuses what is none', async (t) => {
  for (const text of [
    'path "a" {',
    'path',
    'nonsense "a" {}',
    'path "a" { capabilities = ["fly"] }',
    'path "a" { policy = "fly" }',
    '{',
    'path "a" ^',
  ]) {
    t.throws(() => parsePolicy(text), { status: 400, message: /^failed to parse policy/ }, text);
  }
});
