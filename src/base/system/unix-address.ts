// Unix sockets as the kernel takes them. Loads nothing of Node's: the shortest commands go this way.

/** sockaddr_un.sun_path holds 108 bytes with the closing NUL, or the opening one of an abstract address. */
export const longestSocketPath = 107;

export const afUnix = 1;
export const sockCloexec = 0o2000000;

/** `struct sockaddr_un`: the family, then the path; `@` begins an abstract name. Undefined: no socket has such a path. */
export function unixAddress(path: string): Buffer | undefined {
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : `${path}\0`);
  if (path === '' || path.includes('\0') || name.length > longestSocketPath + 1) return undefined;
  const family = Buffer.alloc(2);
  family.writeUInt16LE(afUnix);
  return Buffer.concat([family, name]);
}
