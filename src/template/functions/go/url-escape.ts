// Percent-escapes of URL paths, as Go's net/url reads and writes them.
import { callError, quoted } from '../../exec/function-table.ts';

/** Throws Go's error about a bad escape. */
export function unescapePath(text: string): string {
  if (!text.includes('%')) return text;
  return text.replace(/%(.{0,2})/g, (escaped, digits: string) => {
    if (!/^[0-9a-fA-F]{2}$/.test(digits))
      throw callError`parse ${quoted(text)}: invalid URL escape ${quoted(escaped)}`;
    return String.fromCharCode(Number.parseInt(digits, 16));
  });
}
