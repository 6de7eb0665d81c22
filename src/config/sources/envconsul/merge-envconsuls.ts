// Several files of envconsul make one: what is said later counts; secrets add up.
import { mergeCommon } from '../consul-template/merge-consul-templates.ts';
import { lastOf } from '../hcl/block.ts';
import type { SaidEnvconsul } from './read-envconsul.ts';

export function mergeEnvconsuls(all: readonly SaidEnvconsul[]): SaidEnvconsul {
  const last = lastOf(all);
  return {
    ...mergeCommon(all),
    secrets: all.flatMap(({ secrets }) => secrets),
    prefixes: all.flatMap(({ prefixes }) => prefixes),
    services: all.flatMap(({ services }) => services),
    pristine: last('pristine'),
    sanitize: last('sanitize'),
    upcase: last('upcase'),
  };
}
