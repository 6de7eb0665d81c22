// The environment: env, mustEnv, envOrDefault.

import {
  type CallContext,
  callError,
  defineFunction,
  type FunctionTable,
  plain,
} from '../../exec/function-table.ts';
import { decodeText, encodeText } from '../../text/bytes.ts';

export const env: FunctionTable = {
  env: defineFunction(['string'], 'string', (context, name) => read(context, name) ?? ''),
  mustEnv: defineFunction(['string'], 'string', (context, name) => {
    const value = read(context, name) ?? '';
    if (value === '') throw callError`required environment variable ${plain(name)} is empty`;
    return value;
  }),
  envOrDefault: defineFunction(
    ['string', 'string'],
    'string',
    (context, name, other) => read(context, name) ?? other,
  ),
};

function read(context: CallContext, name: string): string | undefined {
  const value = context.host.env(decodeText(name));
  return value === undefined ? undefined : encodeText(value);
}
