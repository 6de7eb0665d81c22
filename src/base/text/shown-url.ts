// An address as people may see it: in logs, errors and the status.

/** Without name and password, query and fragment, each of which may hold a credential. Text that is no URL stays. */
export function shownUrl(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1').replace(/[?#].*$/s, '');
}
