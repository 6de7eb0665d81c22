import type { FunctionTable } from '../function-table.ts';

export const sprigEncoding: FunctionTable = {};
