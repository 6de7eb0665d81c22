// toTOML.
import { defineFunction, type FunctionTable } from '../../exec/function-table.ts';
import { openInterface } from '../../value/value.ts';
import { encodeToml } from '../go/toml-encode.ts';
import { named } from './named-error.ts';
import { trimSpace } from './text.ts';

export const toml: FunctionTable = {
  toTOML: defineFunction(['any'], 'string', (context, value) =>
    value === null
      ? encodeToml(context, null)
      : named('toTOML', () => trimSpace(encodeToml(context, openInterface(value)))),
  ),
};
