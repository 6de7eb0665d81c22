// The functions of consul-template that ask Consul or Nomad. Their names are known, so that a template with them can be
// checked; there is no such source here, and calling one says so.

import { callError, defineFunction, type FunctionTable, plain } from '../../exec/function-table.ts';
import { functionsOfConsul, functionsOfNomad } from './absent-sources.ts';

function refusals(names: readonly string[], source: string): FunctionTable {
  return Object.fromEntries(
    names.map((name) => [
      name,
      defineFunction(['...any'], 'any', () => {
        throw callError`${plain(name)} asks ${plain(source)}, and no such source is configured; Latchkey serves secrets only`;
      }),
    ]),
  );
}

export const consul: FunctionTable = {
  ...refusals(functionsOfConsul, 'Consul'),
  ...refusals(functionsOfNomad, 'Nomad'),
};
