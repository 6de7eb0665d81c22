// What is wrong with YAML text, in libyaml's words and with its line. Never a piece of the text.
import type { YAMLError } from 'yaml';
import { type CallError, callError, plain } from '../function-table.ts';

const forbidden = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufffe\uffff]/;

/** libyaml refuses them wherever they stand. */
export function checkCharacters(text: string): void {
  if (forbidden.test(text)) throw callError`yaml: control characters are not allowed`;
}

const reasons: Readonly<Record<string, string>> = {
  BAD_DIRECTIVE: 'found unknown directive name',
  BAD_DQ_ESCAPE: 'found unknown escape character',
  BAD_INDENT: 'did not find expected key',
  BAD_SCALAR_START: 'found character that cannot start any token',
  BLOCK_AS_IMPLICIT_KEY: 'mapping values are not allowed in this context',
  BLOCK_IN_FLOW: 'did not find expected node content',
  COMMENT_SPACE: 'did not find expected key',
  MULTILINE_IMPLICIT_KEY: "could not find expected ':'",
  MULTIPLE_ANCHORS: 'did not find expected node content',
  MULTIPLE_TAGS: 'did not find expected node content',
  TAB_AS_INDENT: 'found character that cannot start any token',
  TAG_RESOLVE_FAILED: 'found undefined tag handle',
};

export function syntaxError(text: string, problem: YAMLError): CallError {
  const lines = text.slice(0, problem.pos[0]).split('\n').length;
  const isAtEnd = problem.pos[0] >= text.trimEnd().length;
  const reason = reasons[problem.code] ?? missingReason(problem.message);
  const line = lines > 1 || isAtEnd ? `line ${lines}: ` : '';
  return callError`yaml: ${plain(line)}${plain(reason)}`;
}

/** The library tells what is missing in its message, by the kind of node that it is in. */
function missingReason(message: string): string {
  if (/Flow sequence/.test(message)) return "did not find expected ',' or ']'";
  if (/Flow map/.test(message)) return "did not find expected ',' or '}'";
  if (/closing .quote/.test(message)) return 'found unexpected end of stream';
  return 'did not find expected key';
}
