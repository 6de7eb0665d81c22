import type { FunctionTable } from '../function-table.ts';

export const collections: FunctionTable = {};
