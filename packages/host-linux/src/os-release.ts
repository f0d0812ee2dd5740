/** os-release(5). Pure. */

/** `ID` and `VERSION_ID`; `unknown` where the file does not tell (C-02). */
export function parseOsRelease(text: string): { readonly distribution: string; readonly version: string } {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, key, quoted, bare] = /^([A-Z0-9_]+)=(?:["']([^"']*)["']|([^\s"']*))\s*$/.exec(line) ?? [];
    if (key !== undefined) values.set(key, quoted ?? bare ?? '');
  }
  // os-release(5): identifiers are lower-case letters, digits, dot, underscore and hyphen.
  const value = (key: string): string => {
    const found = values.get(key) ?? '';
    return /^[a-z0-9._-]{1,64}$/.test(found) ? found : 'unknown';
  };
  return { distribution: value('ID'), version: value('VERSION_ID') };
}
