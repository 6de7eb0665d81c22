// The authorities that are in several of the places a process may trust: once each, as OpenSSL reads every text that it is given.

/** PEM texts, each of one certificate; of those that differ in their lines alone the first. */
export function distinctCertificates(texts: readonly string[]): string[] {
  const byContent = new Map<string, string>();
  for (const text of texts) {
    const content = text.replace(/\s+/g, '');
    if (!byContent.has(content)) byContent.set(content, text);
  }
  return [...byContent.values()];
}
