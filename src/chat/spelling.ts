// Names of fields as the upstream understands them.

/** `fileData` and `file_data` are the same to a parser of proto JSON, so a rule about one of them has to hold for both. */
export function spelling(name: string): string {
  return name.replaceAll('_', '').toLowerCase();
}
