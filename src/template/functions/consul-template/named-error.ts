// consul-template puts a function's name before the error of what it calls: `parseInt: strconv.ParseInt: …`.
import { CallError, callError, plain } from '../../exec/function-table.ts';

export function named<T>(name: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof CallError ? callError`${plain(name)}: ${error}` : error;
  }
}
