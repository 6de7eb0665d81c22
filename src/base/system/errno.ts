// Which refusal of the kernel, or of Node, an error is.

/** `ENOENT`, `ERR_INVALID_ARG_VALUE` and so on; undefined for what neither of them threw. */
export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(code) ? code : undefined;
}
