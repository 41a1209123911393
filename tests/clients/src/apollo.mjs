// Apollo Client 4: a normalised cache over interfaces, pages merged, changes seen without asking again.
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { relayStylePagination } from '@apollo/client/utilities';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { authorization, report, rest, until, url } from './gateway.mjs';

const socket = createClient({
  url: `${url.replace('http', 'ws')}/graphql`,
  webSocketImpl: WebSocket,
  connectionParams: { authorization },
});
let requests = 0;
const http = new HttpLink({
  uri: `${url}/graphql`,
  headers: { authorization },
  fetch: (...request) => {
    requests += 1;
    return fetch(...request);
  },
});
const client = new ApolloClient({
  link: ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    new GraphQLWsLink(socket),
    http,
  ),
  cache: new InMemoryCache({
    possibleTypes: JSON.parse(process.env.POSSIBLE_TYPES),
    typePolicies: { Query: { fields: { backupDestinations: relayStylePagination(['filter', 'orderBy']) } } },
  }),
});

const ITEM = gql`
  fragment Item on BackupDestination {
    id
    label
    ... on S3CompatibleDestination { bucketName reachability }
    ... on CustomS3Destination { endpoint }
  }
`;
const LIST = gql`
  query List($first: Int!, $after: String) {
    backupDestinations(first: $first, after: $after) {
      edges { cursor node { ...Item } }
      pageInfo { hasNextPage endCursor }
      totalCount
    }
  }
  ${ITEM}
`;
const RENAME = gql`
  mutation Rename($id: ID!, $label: String!) {
    updateBackupDestination(id: $id, input: { label: $label }) {
      ... on UpdateBackupDestinationPayload { backupDestination { id label } }
      ... on Problem { message }
      ... on ValidationProblem { violations { path code } }
    }
  }
`;
const CREATE = gql`
  mutation Create($input: CreateBackupDestinationInput!) {
    createBackupDestination(input: $input) {
      ... on CreateBackupDestinationPayload { edge { cursor node { ...Item } } }
      ... on Problem { message }
    }
  }
  ${ITEM}
`;
const DELETE = gql`
  mutation Delete($id: ID!) {
    deleteBackupDestination(id: $id) { ... on DeleteBackupDestinationPayload { deletedId } }
  }
`;
const EVENTS = gql`
  subscription Events($after: ID) {
    backupDestinationEvents(after: $after) {
      id
      ... on BackupDestinationUpdated { backupDestination { id label } changedFields }
    }
  }
`;

// `shown` is what a component would have on the screen.
const list = client.watchQuery({ query: LIST, variables: { first: 2 } });
let shown;
list.subscribe(({ data }) => {
  shown = data?.backupDestinations;
});
const nodes = () => shown?.edges.map((edge) => edge.node) ?? [];
const labels = () => nodes().map(({ label }) => label);

async function tell(step, condition) {
  await until(condition);
  report({ step, labels: labels(), requests });
}

await tell('the first page', () => labels().length === 2);
for (let page = shown; page.pageInfo.hasNextPage; ) {
  const { data } = await list.fetchMore({ variables: { after: page.pageInfo.endCursor } });
  page = data.backupDestinations;
}
await tell('all pages', () => labels().length === shown.totalCount);

const [first, , third] = nodes();
await client.mutate({ mutation: RENAME, variables: { id: first.id, label: 'Renamed' } });
await tell('renamed', () => labels()[0] === 'Renamed');

const input = { customS3: { label: 'Made', bucketName: 'b', endpoint: 'https://s3.example.com' } };
input.customS3.credentials = { accessKey: 'a-key', secretKey: 'a-secret' };
await client.mutate({
  mutation: CREATE,
  variables: { input },
  update(cache, { data }) {
    const { edge } = data.createBackupDestination;
    const node = cache.writeFragment({ fragment: ITEM, fragmentName: 'Item', data: edge.node });
    cache.modify({
      fields: { backupDestinations: (page) => ({ ...page, edges: [...page.edges, { ...edge, node }] }) },
    });
  },
});
await tell('created', () => labels().length === 6);
report({ step: 'the new one', made: nodes().at(-1) });

await client.mutate({
  mutation: DELETE,
  variables: { id: third.id },
  update: (cache) => cache.evict({ id: cache.identify(third) }),
});
await tell('deleted', () => labels().length === 5);

const invalid = await client.mutate({ mutation: RENAME, variables: { id: first.id, label: 'x'.repeat(256) } });
const gone = await client.mutate({ mutation: RENAME, variables: { id: third.id, label: 'x' } });
report({ step: 'problems', problems: [invalid, gone].map(({ data }) => data.updateBackupDestination) });

const malformed = await client.query({ query: gql`{ node(id: "x") { id } }` }).catch((error) => error);
report({ step: 'an error', caught: CombinedGraphQLErrors.is(malformed), code: malformed.errors[0].extensions.code });

const latest = await client.query({ query: gql`{ events(first: 1) { edges { node { id } } } }` });
const after = latest.data.events.edges[0].node.id;
requests = 0;
const events = client.subscribe({ query: EVENTS, variables: { after } }).subscribe(() => {});
await rest('PUT', `/${first.id.split(':')[1]}`, { label: 'From elsewhere' });
await tell('heard of', () => labels()[0] === 'From elsewhere');

events.unsubscribe();
await socket.dispose();
client.stop();
