// JSON output: toJSON and its forms.
import { defineFunction, type FunctionTable } from '../../exec/function-table.ts';
import type { Opened } from '../../value/value.ts';
import { encodeJson, type JsonStyle } from '../go/json/json-encode.ts';
import { named } from './named-error.ts';

export const json: FunctionTable = {
  toJSON: encoder('toJSON', { escapesHtml: true, isPretty: false }),
  toJSONPretty: encoder('toJSONPretty', { escapesHtml: true, isPretty: true }),
  toUnescapedJSON: encoder('toUnescapedJSON', { escapesHtml: false, isPretty: false }),
  toUnescapedJSONPretty: encoder('toUnescapedJSONPretty', { escapesHtml: false, isPretty: true }),
};

function encoder(name: string, style: JsonStyle) {
  return defineFunction(['any'], 'string', (context, value) =>
    named(name, () => encodeJson(context, value as Opened, style)),
  );
}
