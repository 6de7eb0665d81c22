// How many of something there are, as people say it.

/** `1 secret`, `2 secrets`; `1 line is`, `2 lines are` with `many` written out. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** `once`, `2 times` */
export function timesText(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}
