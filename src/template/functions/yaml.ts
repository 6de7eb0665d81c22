// YAML in and out, as go-yaml v2 has it.
import { defineFunction, type FunctionTable } from '../function-table.ts';
import { anyMap, openInterface } from '../value.ts';
import { trimSpace } from './text.ts';
import { decodeYaml } from './yaml-decode.ts';
import { encodeYaml } from './yaml-encode.ts';

export const yaml: FunctionTable = {
  parseYAML: defineFunction(['string'], 'any', (context, text) =>
    text === '' ? anyMap([]) : decodeYaml(context, text),
  ),
  toYAML: defineFunction(['any'], 'string', (context, value) =>
    trimSpace(encodeYaml(context, openInterface(value))),
  ),
};
