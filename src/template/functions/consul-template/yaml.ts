// YAML in and out, as go-yaml v2 has it.
import { defineFunction, type FunctionTable } from '../../exec/function-table.ts';
import { anyMap, openInterface } from '../../value/value.ts';
import { decodeYaml } from '../go/yaml/yaml-decode.ts';
import { encodeYaml } from '../go/yaml/yaml-encode.ts';
import { trimSpace } from './text.ts';

export const yaml: FunctionTable = {
  parseYAML: defineFunction(['string'], 'any', (context, text) =>
    text === '' ? anyMap([]) : decodeYaml(context, text),
  ),
  toYAML: defineFunction(['any'], 'string', (context, value) =>
    trimSpace(encodeYaml(context, openInterface(value))),
  ),
};
