// The error of a template: Go's message, and the place that it names as data.
import { LatchkeyError } from '../base/errors.ts';

const longestMessage = 8192;

interface TemplateErrorOptions {
  /** Of the template's file, as given to parseTemplate. */
  readonly templateName: string;
  /** From 1. */
  readonly line: number;
  /** In bytes from 0, as Go counts. */
  readonly column: number;
  readonly remedy?: string | undefined;
}

/** `template_invalid` when parsing, `template_failed` when executing. Never holds a value of a secret. */
export class TemplateError extends LatchkeyError {
  readonly templateName: string;
  readonly line: number;
  readonly column: number;

  constructor(code: 'template_invalid' | 'template_failed', message: string, options: TemplateErrorOptions) {
    super(code, clipped(message), { remedy: options.remedy });
    this.name = 'TemplateError';
    this.templateName = options.templateName;
    this.line = options.line;
    this.column = options.column;
  }
}

/** A message quotes the template, whose constants may be of any length; what went wrong stands at its end. */
function clipped(message: string): string {
  if (message.length <= longestMessage) return message;
  return `${message.slice(0, longestMessage / 2)} … ${message.slice(-longestMessage / 2)}`;
}

/** Line (from 1) and column (bytes from 0) of a byte position. */
export function placeOf(text: string, pos: number): { line: number; column: number } {
  const before = text.slice(0, pos);
  return { line: before.split('\n').length, column: pos - (before.lastIndexOf('\n') + 1) };
}
