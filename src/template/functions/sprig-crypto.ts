import type { FunctionTable } from '../function-table.ts';

export const sprigCrypto: FunctionTable = {};
