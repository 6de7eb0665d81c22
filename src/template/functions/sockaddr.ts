import type { FunctionTable } from '../function-table.ts';

export const sockaddr: FunctionTable = {};
