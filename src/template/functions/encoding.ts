import type { FunctionTable } from '../function-table.ts';

export const encoding: FunctionTable = {};
