// HCL 1: what its reference reader makes of each case (test/fixtures/hcl/cases.json holds its answers), and that what is written
// is read back.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { HclError } from '../../../../src/config/sources/hcl/node.ts';
import { parseHcl } from '../../../../src/config/sources/hcl/parse.ts';
import { decodeTree } from '../../../../src/config/sources/hcl/tree.ts';
import { plainTree } from '../../../support/plain-tree.ts';

interface Case {
  readonly source: string;
  readonly tree?: unknown;
  readonly isError?: boolean;
}

const cases = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../fixtures/hcl/cases.json'), 'utf8'),
) as readonly Case[];

function treeOf(source: string): unknown {
  return plainTree(decodeTree(parseHcl(source)));
}

t.test('reads each case as the reference reader does', async (t) => {
  for (const { source, tree, isError } of cases) {
    const name = JSON.stringify(source);
    if (isError === true) t.throws(() => treeOf(source), HclError, name);
    else t.strictSame(treeOf(source), tree, name);
  }
});

t.test('says where it cannot go on', async (t) => {
  const placeOf = (source: string) => {
    try {
      treeOf(source);
    } catch (error) {
      const { position, message } = error as HclError;
      return `${position.line}:${position.column} ${message}`;
    }
    return 'read';
  };
  t.match(placeOf('a = 1\nb = $c'), /^2:5 "\$" is not expected here/);
  t.match(placeOf('a {\n  b = 1\n'), /^3:1 expected } before the end of the file/);
  t.match(placeOf('a = "x\nb = 1'), /^1:5 the string is not closed/);
  t.match(placeOf('é = "\\q"'), /^1:6 \\q is no escape/);
  t.match(placeOf('a = <<-EOF\nx\nEOF\n'), /^1:5 the text is not closed; expected EOF .* indented/);
  t.match(placeOf("a = 'x'"), /^1:5 ' is no quote here/);
  t.match(placeOf('{"a": x}'), /^1:7 expected a value, got x/);
  t.match(placeOf('{\n "a": 1\n "b": 2}'), /^3:2 expected , or }/, 'half a file is not a file');
});

t.test('what is written is read back', async (t) => {
  const key = fc
    .stringMatching(/^[a-z][a-z0-9_-]{0,6}$/)
    .filter((name) => name !== 'true' && name !== 'false');
  const text = fc
    .string({ unit: 'grapheme' })
    .filter((value) => !/[\0\uE123\uFFFD]|\$\{/.test(value) && value.isWellFormed());
  const scalar = fc.oneof(text, fc.integer({ min: -1e9, max: 1e9 }), fc.boolean());
  const { block } = fc.letrec<{ block: Record<string, unknown> }>((tie) => ({
    block: fc.dictionary(
      key,
      fc.oneof(
        { depthSize: 'small' },
        scalar,
        fc.array(scalar, { maxLength: 3 }),
        fc.tuple(tie('block')).map(([inner]) => [inner]),
      ),
      { maxKeys: 4, noNullPrototype: true },
    ),
  }));
  fc.assert(
    fc.property(block, (document) => {
      t.strictSame(treeOf(write(document)), JSON.parse(JSON.stringify(document)));
    }),
    { numRuns: 300 },
  );
  t.pass('300 documents');
});

/** A list of one map is a block; JSON's escapes are among HCL's, but for those of surrogates. */
function write(document: Record<string, unknown>): string {
  return Object.entries(document)
    .map(([key, value]) => {
      const [first] = Array.isArray(value) ? (value as unknown[]) : [];
      if (typeof first === 'object' && first !== null)
        return `${key} {\n${write(first as Record<string, unknown>)}\n}`;
      return `${key} = ${JSON.stringify(value)}`;
    })
    .join('\n');
}
