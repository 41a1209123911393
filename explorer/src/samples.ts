// The operations a first-time visitor finds, a tab each. To add one, add `samples/<place>-<name>.graphql`, and beside it
// a `.json` of the same name if it takes variables; a test holds every one of them against the schema.

const FILES: Record<string, string> = import.meta.glob('./samples/*', { eager: true, import: 'default', query: '?raw' });

export const SAMPLES = Object.keys(FILES)
  .filter((path) => path.endsWith('.graphql'))
  .sort()
  .map((path) => ({ query: FILES[path], variables: FILES[path.replace(/\.graphql$/, '.json')] ?? null }));
