// The recipes of Apollo in a page in StrictMode.
import { drive, countingFetch, watchedStreams } from './live.js';
import { readFileSync } from 'node:fs';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { ApolloProvider, useQuery } from '@apollo/client/react';
import { relayStylePagination } from '@apollo/client/utilities';
import { StrictMode } from 'react';
import { authorization, url } from '../gateway.mjs';
import { LIST, Live, insert } from './live-apollo.js';
import { streamsLink } from './streams-apollo.js';

const CREATE = gql`
  mutation Create($label: String!) {
    createBackupDestination(input: { local: { label: $label } }) {
      ... on CreateBackupDestinationPayload { edge { cursor node { id label } } }
    }
  }
`;
const counts = { list: 0 };
const streams = watchedStreams();
const http = new HttpLink({ uri: `${url}/graphql`, headers: { authorization }, fetch: countingFetch(counts) });
const client = new ApolloClient({
  link: ApolloLink.split(({ operationType }) => operationType === 'subscription', streamsLink(streams), http),
  cache: new InMemoryCache({
    possibleTypes: JSON.parse(readFileSync(new URL('../../possibleTypes.json', import.meta.url))),
    typePolicies: { Query: { fields: { backupDestinations: relayStylePagination(['filter', 'orderBy']) } } },
  }),
});

function List({ first }) {
  const { data, fetchMore, refetch } = useQuery(LIST, { variables: { first } });
  if (!data) return null;
  const { edges, pageInfo } = data.backupDestinations;
  const more = () => fetchMore({ variables: { after: pageInfo.endCursor } });
  const reload = async () => (await refetch()).data.viewer.latestEventId;
  return (
    <main>
      <ul>{edges.map(({ node }) => <li key={node.id}>{node.label}</li>)}</ul>
      {pageInfo.hasNextPage && <button onClick={more}>More</button>}
      <Live latestEventId={data.viewer.latestEventId} reload={reload} />
    </main>
  );
}

await drive({
  streams,
  counts,
  page: (first) => <StrictMode><ApolloProvider client={client}><List first={first} /></ApolloProvider></StrictMode>,
  createHere: (label) => client.mutate({
    mutation: CREATE,
    variables: { label },
    update: (cache, { data }) => insert(cache, data.createBackupDestination.edge),
  }),
  dispose: () => streams.dispose(),
});
