// What a file of HCL says, as plain values, without the places.
import type { Tree } from '../../src/config/sources/hcl/tree.ts';

/** Plain values, as a JSON writer would have them. */
export function plainTree(tree: Tree): unknown {
  if (tree.kind === 'scalar') return tree.value;
  if (tree.kind !== 'map') return tree.items.map(plainTree);
  return Object.fromEntries([...tree.entries].map(([key, { value }]) => [key, plainTree(value)]));
}
