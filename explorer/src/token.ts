// The token of this browser tab. It is kept in sessionStorage, which ends with the tab, and nowhere else.

const KEY = 'moorings:token';

type Listener = (token: string) => void;
const listeners: Listener[] = [];

/** The token, or "" while there is none. */
export function currentToken(): string {
  return sessionStorage.getItem(KEY) ?? '';
}

/** Keep what was typed or pasted, with or without `Bearer`; "" forgets it. */
export function keepToken(typed: string): void {
  const token = typed.trim().replace(/^(authorization:\s*)?bearer\s+/i, '');
  if (token) {
    sessionStorage.setItem(KEY, token);
  } else {
    sessionStorage.removeItem(KEY);
  }
  for (const listener of listeners) {
    listener(token);
  }
}

/** Call back whenever another token is kept or it is forgotten. */
export function onToken(listener: Listener): void {
  listeners.push(listener);
}

/** The headers of one request: its own, and the token unless they bring one. */
export function withToken(headers: Record<string, string>): Record<string, string> {
  const token = currentToken();
  const brings = Object.keys(headers).some((name) => name.toLowerCase() === 'authorization');
  return token && !brings ? { ...headers, authorization: `Bearer ${token}` } : headers;
}
