import { ApolloProvider } from '@apollo/client/react';
import { StrictMode, useMemo, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { createClient, type Session } from './client';
import { Destinations } from './Destinations';
import { SignIn } from './SignIn';

const KEY = 'session';

function App() {
  const [session, setSession] = useState<Session | null>(() => JSON.parse(sessionStorage.getItem(KEY) ?? 'null'));
  const client = useMemo(() => session && createClient(session), [session]);

  function signIn(next: Session | null) {
    // The token lives as long as the tab: it is not in the address, not on disk, and not in other tabs.
    if (next) sessionStorage.setItem(KEY, JSON.stringify(next));
    else sessionStorage.removeItem(KEY);
    client?.stop();
    setSession(next);
  }

  if (!client) return <SignIn onSignIn={signIn} />;
  return (
    <ApolloProvider client={client}>
      <Destinations onSignOut={() => signIn(null)} />
    </ApolloProvider>
  );
}

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
