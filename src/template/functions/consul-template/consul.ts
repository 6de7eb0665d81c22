// The functions of consul-template that ask Consul or Nomad. Their names are known, so that a template with them can be
// checked; there is no such source here, and calling one says so.
import { callError, defineFunction, type FunctionTable, plain } from '../../exec/function-table.ts';

const ofConsul =
  'byKey byMeta byPort byTag caLeaf caRoots connect datacenters explode exportedServices importedServices key keyExists keyOrDefault ls node nodes partitions peerings safeLs safeTree service services tree';
const ofNomad = 'nomadService nomadServices nomadVar nomadVarExists nomadVarList nomadVarListSafe';

function refusals(names: string, source: string): FunctionTable {
  return Object.fromEntries(
    names.split(' ').map((name) => [
      name,
      defineFunction(['...any'], 'any', () => {
        throw callError`${plain(name)} asks ${plain(source)}, and no such source is configured; Latchkey serves secrets only`;
      }),
    ]),
  );
}

export const consul: FunctionTable = { ...refusals(ofConsul, 'Consul'), ...refusals(ofNomad, 'Nomad') };
