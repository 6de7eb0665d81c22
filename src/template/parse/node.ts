// The nodes of a parsed template, as Go's text/template/parse, and their text as error messages show it.
// Built by parse.ts, walked by exec.ts. Positions count bytes in the template's text.
import { decodeText } from '../text/bytes.ts';
import { quoteString } from '../text/quote.ts';
import type { NumberConstant } from './constant.ts';

interface At {
  readonly pos: number;
}

export interface ListNode extends At {
  readonly kind: 'list';
  readonly nodes: Statement[];
}

interface TextNode extends At {
  readonly kind: 'text';
  readonly text: string;
}

export interface ActionNode extends At {
  readonly kind: 'action';
  readonly pipe: PipeNode;
}

/** `if`, `with` or `range`. */
export interface BranchNode extends At {
  readonly kind: 'if' | 'with' | 'range';
  readonly pipe: PipeNode;
  readonly list: ListNode;
  elseList: ListNode | null;
}

export interface TemplateNode extends At {
  readonly kind: 'template';
  readonly name: string;
  readonly pipe: PipeNode | null;
}

interface JumpNode extends At {
  readonly kind: 'break' | 'continue';
}

export interface PipeNode extends At {
  readonly kind: 'pipe';
  /** Whether the variables are assigned, not declared. */
  isAssign: boolean;
  readonly variables: VariableNode[];
  readonly commands: CommandNode[];
}

export interface CommandNode extends At {
  readonly kind: 'command';
  readonly args: Operand[];
}

interface IdentifierNode extends At {
  readonly kind: 'identifier';
  readonly name: string;
}

/** `$x.Field`: the name with its dollar sign, then fields. */
interface VariableNode extends At {
  readonly kind: 'variable';
  readonly idents: readonly string[];
}

interface FieldNode extends At {
  readonly kind: 'field';
  readonly idents: readonly string[];
}

/** A term that is no field or variable, followed by fields: `(pipeline).Field`. */
export interface ChainNode extends At {
  readonly kind: 'chain';
  readonly node: Operand;
  readonly fields: readonly string[];
}

interface DotNode extends At {
  readonly kind: 'dot';
}

interface NilNode extends At {
  readonly kind: 'nil';
}

interface BoolNode extends At {
  readonly kind: 'bool';
  readonly value: boolean;
}

export interface NumberNode extends At {
  readonly kind: 'number';
  readonly number: NumberConstant;
  readonly text: string;
}

interface StringNode extends At {
  readonly kind: 'string';
  /** As in the template, with its quotes. */
  readonly quoted: string;
  readonly text: string;
}

export type Statement = TextNode | ActionNode | BranchNode | TemplateNode | JumpNode;

export type Operand =
  | IdentifierNode
  | VariableNode
  | FieldNode
  | ChainNode
  | DotNode
  | NilNode
  | BoolNode
  | NumberNode
  | StringNode
  | PipeNode;

/** What an error can be about. */
export type Node = Operand | CommandNode | ActionNode | TemplateNode;

/** The node as Go's String method writes it. */
export function nodeText(node: Node): string {
  switch (node.kind) {
    case 'action':
      return `{{${pipeText(node.pipe)}}}`;
    case 'template':
      return `{{template ${quoteString(node.name)}${node.pipe === null ? '' : ` ${pipeText(node.pipe)}`}}}`;
    case 'pipe':
      return pipeText(node);
    case 'command':
      return node.args.map(operandText).join(' ');
    case 'identifier':
      return node.name;
    case 'variable':
      return node.idents.join('.');
    case 'field':
      return `.${node.idents.join('.')}`;
    case 'chain':
      return `${operandText(node.node)}.${node.fields.join('.')}`;
    case 'dot':
      return '.';
    case 'nil':
      return 'nil';
    case 'bool':
      return String(node.value);
    case 'number':
      return node.text;
    case 'string':
      return node.quoted;
  }
}

function operandText(node: Operand): string {
  return node.kind === 'pipe' ? `(${pipeText(node)})` : nodeText(node);
}

function pipeText(pipe: PipeNode): string {
  const names = pipe.variables.map(nodeText).join(', ');
  const declaration = names === '' ? '' : `${names} ${pipe.isAssign ? '=' : ':='} `;
  return declaration + pipe.commands.map(nodeText).join(' | ');
}

/** White space as Go's unicode.IsSpace. */
const blank = /^[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$/;

/** Whether there is nothing but white space. */
export function isEmptyList(list: ListNode): boolean {
  return list.nodes.every((node) => node.kind === 'text' && blank.test(decodeText(node.text)));
}
