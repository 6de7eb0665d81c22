// The functions of consul-template that ask what is no source here, by their names.

export const functionsOfConsul =
  'byKey byMeta byPort byTag caLeaf caRoots connect datacenters explode exportedServices importedServices key keyExists keyOrDefault ls node nodes partitions peerings safeLs safeTree service services tree'.split(
    ' ',
  );
export const functionsOfNomad =
  'nomadService nomadServices nomadVar nomadVarExists nomadVarList nomadVarListSafe'.split(' ');

/** Undefined for a function that needs neither. */
export function absentSourceOf(name: string): 'Consul' | 'Nomad' | undefined {
  if (functionsOfNomad.includes(name)) return 'Nomad';
  return functionsOfConsul.includes(name) ? 'Consul' : undefined;
}
