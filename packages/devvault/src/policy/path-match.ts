// Patterns of paths, in policies and in what a backend says of its own: literal, `prefix*`, and `+` for one segment.

export function pathMatches(pattern: string, path: string): boolean {
  const isPrefix = pattern.endsWith('*');
  const wanted = (isPrefix ? pattern.slice(0, -1) : pattern).split('/');
  const got = path.split('/');
  if (isPrefix ? got.length < wanted.length : got.length !== wanted.length) return false;
  return wanted.every((segment, index) => {
    if (segment === '+') return true;
    const part = got[index] ?? '';
    return isPrefix && index === wanted.length - 1 ? part.startsWith(segment) : part === segment;
  });
}
