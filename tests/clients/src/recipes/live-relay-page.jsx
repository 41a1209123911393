// The recipes of Relay in a page in StrictMode.
import { drive, countingFetch, watchedStreams } from './live.js';
import { createRequire } from 'node:module';
import { StrictMode, Suspense } from 'react';
import relay from 'react-relay';
import runtime from 'relay-runtime';
import { authorization, url } from '../gateway.mjs';
import { Live } from './live-relay.js';
import { subscribeTo } from './streams-relay.js';

const { RelayEnvironmentProvider, useLazyLoadQuery, usePaginationFragment } = relay;
const { ConnectionHandler, Environment, Network, ROOT_ID, RecordSource, Store } = runtime;
const require = createRequire(import.meta.url);
const compiled = (name) => require(`../../relay/__generated__/${name}.graphql`);

const counts = { list: 0 };
const streams = watchedStreams();
const fetchCounted = countingFetch(counts);
async function ask({ text: query }, variables) {
  const headers = { authorization, 'content-type': 'application/json', accept: 'application/graphql-response+json' };
  const body = JSON.stringify({ query, variables });
  return (await fetchCounted(`${url}/graphql`, { method: 'POST', headers, body })).json();
}
const network = Network.create(ask, subscribeTo(streams));
const environment = new Environment({ network, store: new Store(new RecordSource(), { gcReleaseBufferSize: 10 }) });
const connections = [ConnectionHandler.getConnectionID(ROOT_ID, 'LivePage_backupDestinations')];

function List({ first }) {
  const query = useLazyLoadQuery(compiled('LivePageQuery'), { count: first }, { fetchPolicy: 'store-or-network' });
  const { data, hasNext, loadNext } = usePaginationFragment(compiled('LivePage_list'), query);
  const reload = async () => {
    const fresh = await runtime.fetchQuery(environment, compiled('LivePageQuery'), { count: first }).toPromise();
    return fresh.viewer.latestEventId;
  };
  return (
    <main>
      <ul>{data.backupDestinations.edges.map(({ node }) => <li key={node.id}>{node.label}</li>)}</ul>
      {hasNext && <button onClick={() => loadNext(2)}>More</button>}
      <Live
        subscription={compiled('LiveSubscription')}
        connections={connections}
        latestEventId={query.viewer.latestEventId}
        reload={reload}
      />
    </main>
  );
}

await drive({
  streams,
  counts,
  page: (first) => (
    <StrictMode>
      <RelayEnvironmentProvider environment={environment}>
        <Suspense><List first={first} /></Suspense>
      </RelayEnvironmentProvider>
    </StrictMode>
  ),
  createHere: (label) => new Promise((onCompleted, onError) => {
    const mutation = compiled('LivePageCreateMutation');
    runtime.commitMutation(environment, { mutation, variables: { label, connections }, onCompleted, onError });
  }),
  dispose: () => streams.dispose(),
});
