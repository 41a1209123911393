// What GraphiQL keeps in this browser beyond the tab: tabs and history, but no header and no credential.
//
// Its history keeps headers even when `shouldPersistHeaders` is false, and variables are kept as they are typed.

const PREFIX = 'graphiql:';
const NOT_KEPT = `${PREFIX}headers`;
const OF_TABS = ['tabState', 'queries', 'favorites'].map((name) => PREFIX + name);
/** A key of the pair and its value, in a document or in JSON; the placeholders of the samples may stay. */
const CREDENTIAL = /("?\b(?:accessKey|secretKey)"?\s*:\s*)"(?!your_)(?:[^"\\]|\\.)*"/g;

function withoutCredentials(text: string): string {
  return text.replace(CREDENTIAL, '$1""');
}

function scrubbed(name: string, value: unknown): unknown {
  if (name === 'headers') {
    return null;
  }
  return typeof value === 'string' ? withoutCredentials(value) : value;
}

function ours(): string[] {
  return Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
}

export const storage = {
  getItem: (key: string) => localStorage.getItem(key),
  removeItem: (key: string) => localStorage.removeItem(key),
  setItem(key: string, text: string) {
    if (OF_TABS.includes(key)) {
      localStorage.setItem(key, JSON.stringify(JSON.parse(text), scrubbed));
    } else if (key !== NOT_KEPT) {
      localStorage.setItem(key, withoutCredentials(text));
    }
  },
  clear: () => ours().forEach((key) => localStorage.removeItem(key)),
  get length() {
    return ours().length;
  },
};
