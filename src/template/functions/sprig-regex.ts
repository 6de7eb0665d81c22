import type { FunctionTable } from '../function-table.ts';

export const sprigRegex: FunctionTable = {};
