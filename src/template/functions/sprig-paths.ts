import type { FunctionTable } from '../function-table.ts';

export const sprigPaths: FunctionTable = {};
