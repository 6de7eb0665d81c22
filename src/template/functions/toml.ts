// toTOML.
import { defineFunction, type FunctionTable } from '../function-table.ts';
import { openInterface } from '../value.ts';
import { named } from './named-error.ts';
import { trimSpace } from './text.ts';
import { encodeToml } from './toml-encode.ts';

export const toml: FunctionTable = {
  toTOML: defineFunction(['any'], 'string', (context, value) =>
    value === null
      ? encodeToml(context, null)
      : named('toTOML', () => trimSpace(encodeToml(context, openInterface(value)))),
  ),
};
