// The recipes of urql in a page in StrictMode.
import { drive, countingFetch, watchedStreams } from './live.js';
import { cacheExchange } from '@urql/exchange-graphcache';
import { getIntrospectionQuery } from 'graphql';
import { StrictMode, useState } from 'react';
import { Client, Provider, fetchExchange, gql, useQuery } from 'urql';
import { authorization, url } from '../gateway.mjs';
import { Live } from './follow-urql.js';
import { live } from './live-urql.js';
import { streamsExchange } from './streams-urql.js';

const LIST = gql`
  query List($first: Int!, $after: String) {
    backupDestinations(first: $first, after: $after, orderBy: { field: CREATED_AT, direction: DESC }) {
      edges { cursor node { id label } }
      pageInfo { hasNextPage endCursor }
    }
    viewer { id latestEventId }
  }
`;
const CREATE = gql`
  mutation Create($label: String!) {
    createBackupDestination(input: { local: { label: $label } }) {
      ... on CreateBackupDestinationPayload { edge { cursor node { id label } } }
    }
  }
`;
const headers = { authorization, 'content-type': 'application/json' };
const query = JSON.stringify({ query: getIntrospectionQuery() });
const schema = (await (await fetch(`${url}/graphql`, { method: 'POST', headers, body: query })).json()).data;
const counts = { list: 0, warnings: [] };
const streams = watchedStreams();
const client = new Client({
  url: `${url}/graphql`,
  preferGetMethod: false,
  fetchOptions: { headers: { authorization } },
  fetch: countingFetch(counts),
  exchanges: [
    cacheExchange({
      schema,
      ...live,
      logger: (severity, message) => severity === 'debug' || counts.warnings.push(message),
    }),
    streamsExchange(streams),
    fetchExchange,
  ],
});

function List({ first }) {
  const [after, setAfter] = useState();
  const [{ data }] = useQuery({ query: LIST, variables: { first, after } });
  if (!data) return null;
  const reload = async () => {
    const fresh = await client.query(LIST, { first }, { requestPolicy: 'network-only' }).toPromise();
    return fresh.data.viewer.latestEventId;
  };
  const { edges, pageInfo } = data.backupDestinations;
  return (
    <main>
      <ul>{edges.map(({ node }) => <li key={node.id}>{node.label}</li>)}</ul>
      {pageInfo.hasNextPage && <button onClick={() => setAfter(pageInfo.endCursor)}>More</button>}
      <Live latestEventId={data.viewer.latestEventId} reload={reload} />
    </main>
  );
}

await drive({
  streams,
  counts,
  page: (first) => <StrictMode><Provider value={client}><List first={first} /></Provider></StrictMode>,
  createHere: (label) => client.mutation(CREATE, { label }).toPromise(),
  dispose: () => streams.dispose(),
});
