// Functions of the execution itself: executeTemplate, timestamp.
import { callError, defineFunction, type FunctionTable, plain } from '../../exec/function-table.ts';
import { formatTime, utcTime } from '../go/time/time-layout.ts';

export const local: FunctionTable = {
  executeTemplate: defineFunction(['string', '...any'], 'string', (context, name, ...data) => {
    if (data.length > 1) {
      throw callError`executeTemplate: wrong number of arguments, expected 1 or 2, but got ${plain(data.length + 1)}`;
    }
    return context.executeTemplate(name, data[0] ?? null);
  }),
  /** In UTC; as RFC 3339, by a Go layout, or as seconds for `unix`. */
  timestamp: defineFunction(['...string'], 'string', (context, ...layouts) => {
    const [layout = '2006-01-02T15:04:05Z07:00'] = layouts;
    if (layouts.length > 1) {
      throw callError`timestamp: wrong number of arguments, expected 0 or 1, but got ${plain(layouts.length)}`;
    }
    const now = utcTime(context.host.now());
    return layout === 'unix' ? String(now.unixSeconds) : formatTime(now, layout);
  }),
};
