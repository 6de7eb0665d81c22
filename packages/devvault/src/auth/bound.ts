// What a role is bound to: the values that it lets in.
import { badRequest } from '../vault-error.ts';

/** Throws a 400 with `refusal` unless the role names the value; a role that names nothing, or `*`, lets all in. */
export function requireBound(refusal: string, value: string, bound: readonly string[]): void {
  if (bound.length === 0 || bound.includes('*') || bound.includes(value)) return;
  throw badRequest(refusal);
}
