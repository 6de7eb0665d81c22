// sprig's defaults, JSON, types and `fail`.
import {
  type CallContext,
  CallError,
  callError,
  defineFunction,
  type FunctionTable,
} from '../../exec/function-table.ts';
import { type Opened, typeName, typeOf } from '../../value/value.ts';
import { decodeJson } from '../go/json/json-decode.ts';
import { encodeJson, type JsonStyle } from '../go/json/json-encode.ts';
import { isEmpty } from './sprig-empty.ts';

const compact: JsonStyle = { escapesHtml: true, isPretty: false };
const pretty: JsonStyle = { escapesHtml: true, isPretty: true };
const raw: JsonStyle = { escapesHtml: false, isPretty: false };

export const sprigDefaults: FunctionTable = {
  sprig_default: defineFunction(['any', '...any'], 'any', (_context, otherwise, ...given) => {
    const [value = null] = given;
    return isEmpty(value) ? otherwise : value;
  }),
  sprig_empty: defineFunction(['any'], 'bool', (_context, value) => isEmpty(value)),
  sprig_coalesce: defineFunction(
    ['...any'],
    'any',
    (_context, ...values) => values.find((value) => !isEmpty(value)) ?? null,
  ),
  sprig_all: defineFunction(['...any'], 'bool', (_context, ...values) => !values.some(isEmpty)),
  sprig_any: defineFunction(['...any'], 'bool', (_context, ...values) =>
    values.some((value) => !isEmpty(value)),
  ),
  sprig_ternary: defineFunction(['any', 'any', 'bool'], 'any', (_context, yes, no, isTrue) =>
    isTrue ? yes : no,
  ),
  sprig_fail: defineFunction(['string'], 'string', (_context, message) => {
    throw callError`${message}`;
  }),
  sprig_fromJson: defineFunction(['string'], 'any', (context, text) =>
    orElse(() => decodeJson(context, text), null),
  ),
  sprig_mustFromJson: defineFunction(['string'], 'any', decodeJson),
  sprig_toJson: encoder(compact, true),
  sprig_mustToJson: encoder(compact, false),
  sprig_toPrettyJson: encoder(pretty, true),
  sprig_mustToPrettyJson: encoder(pretty, false),
  sprig_toRawJson: encoder(raw, false),
  sprig_mustToRawJson: encoder(raw, false),
  sprig_typeOf: defineFunction(['any'], 'string', (_context, value) => typeName(value)),
  sprig_typeIs: defineFunction(
    ['string', 'any'],
    'bool',
    (_context, wanted, value) => wanted === typeName(value),
  ),
  sprig_typeIsLike: defineFunction(['string', 'any'], 'bool', (_context, wanted, value) =>
    [wanted, `*${wanted}`].includes(typeName(value)),
  ),
  sprig_kindOf: defineFunction(['any'], 'string', (_context, value) => kindOf(value)),
  sprig_kindIs: defineFunction(
    ['string', 'any'],
    'bool',
    (_context, wanted, value) => wanted === kindOf(value),
  ),
};

function encoder(style: JsonStyle, swallowsErrors: boolean) {
  const run = (context: CallContext, value: Opened): string => encodeJson(context, value, style);
  return defineFunction(['any'], 'string', (context, value) =>
    swallowsErrors ? orElse(() => run(context, value), '') : run(context, value),
  );
}

/** sprig's functions without `must` give nothing where they fail. */
function orElse<T>(run: () => T, otherwise: T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof CallError) return otherwise;
    throw error;
  }
}

function kindOf(value: Opened): string {
  return typeOf(value)?.kind ?? 'invalid';
}
