import type { FunctionTable } from '../function-table.ts';

export const toml: FunctionTable = {};
