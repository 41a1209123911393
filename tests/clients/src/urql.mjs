// urql with graphcache: a cache that knows the schema, joins pages, and takes mutations into a list.
import { Client, fetchExchange, gql } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { getIntrospectionQuery } from 'graphql';
import { authorization, report, rest, until, url } from './gateway.mjs';

const ITEM = gql`
  fragment Item on BackupDestination {
    id
    label
    ... on S3CompatibleDestination { bucketName }
  }
`;
const LIST = gql`
  query List($first: Int!, $after: String, $orderBy: BackupDestinationOrder) {
    backupDestinations(first: $first, after: $after, orderBy: $orderBy) {
      edges { cursor node { ...Item } }
      pageInfo { hasNextPage endCursor }
    }
  }
  ${ITEM}
`;
const RENAME = gql`
  mutation Rename($id: ID!, $label: String!) {
    updateBackupDestination(id: $id, input: { label: $label }) {
      ... on UpdateBackupDestinationPayload { backupDestination { id label } }
      ... on Problem { message }
    }
  }
`;
const CREATE = gql`
  mutation Create($label: String!) {
    createBackupDestination(input: { local: { label: $label } }) {
      ... on CreateBackupDestinationPayload { edge { cursor node { ...Item } } }
      ... on ValidationProblem { message violations { path code } }
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
      ... on BackupDestinationUpdated { backupDestination { id label } }
    }
  }
`;

const WHOLE = { query: LIST, variables: { first: 100 } };
const notKept = () => null;
const warnings = [];
let requests = 0;

async function introspect() {
  const body = JSON.stringify({ query: getIntrospectionQuery() });
  const headers = { 'content-type': 'application/json' };
  return (await (await fetch(`${url}/graphql`, { method: 'POST', headers, body })).json()).data;
}

function changeEdges(cache, change) {
  cache.updateQuery(WHOLE, (data) => {
    const page = data.backupDestinations;
    return { ...data, backupDestinations: { ...page, edges: change(page.edges) } };
  });
}

const client = new Client({
  url: `${url}/graphql`,
  preferGetMethod: false,
  fetchSubscriptions: true,
  fetchOptions: { headers: { authorization } },
  fetch: (...request) => {
    requests += 1;
    return fetch(...request);
  },
  exchanges: [
    cacheExchange({
      schema: await introspect(),
      logger: (severity, message) => severity === 'debug' || warnings.push(message),
      keys: { ValidationProblem: notKept, Violation: notKept, NotFoundProblem: notKept },
      resolvers: { Query: { backupDestinations: relayPagination() } },
      updates: {
        Mutation: {
          createBackupDestination({ createBackupDestination: { edge } }, _, cache) {
            if (edge) changeEdges(cache, (edges) => [...edges, edge]);
          },
          deleteBackupDestination({ deleteBackupDestination: { deletedId } }, _, cache) {
            if (deletedId) changeEdges(cache, (edges) => edges.filter((edge) => edge.node.id !== deletedId));
          },
        },
      },
    }),
    fetchExchange,
  ],
});

const labelsOf = (data) => data.backupDestinations.edges.map((edge) => edge.node.label);
const byLabel = { first: 2, orderBy: { field: 'LABEL' } };
const first = await client.query(LIST, byLabel).toPromise();
const after = first.data.backupDestinations.pageInfo.endCursor;
const more = await client.query(LIST, { ...byLabel, after }).toPromise();
report({ step: 'two pages', first: labelsOf(first.data), joined: labelsOf(more.data), requests });

// `shown` is what a component would have on the screen.
let shown;
const list = client.query(LIST, WHOLE.variables).subscribe(({ data }) => {
  shown = data;
});
await until(() => shown);
const [one, , three] = shown.backupDestinations.edges.map((edge) => edge.node);
report({ step: 'listed', labels: labelsOf(shown), one, requests });

const mutate = async (step, document, variables) => {
  const { data, error } = await client.mutation(document, variables).toPromise();
  report({ step, labels: labelsOf(shown), requests, answer: data && Object.values(data)[0], error });
};
await mutate('renamed', RENAME, { id: one.id, label: 'Renamed' });
await mutate('created', CREATE, { label: 'Made' });
await mutate('deleted', DELETE, { id: three.id });
await mutate('too long', CREATE, { label: 'x'.repeat(256) });
await mutate('gone', RENAME, { id: three.id, label: 'x' });

const latest = await client.query(gql`{ events(first: 1) { edges { node { id } } } }`, {}).toPromise();
const events = client.subscription(EVENTS, { after: latest.data.events.edges[0].node.id }).subscribe(() => {});
await rest('PUT', `/${one.id.split(':')[1]}`, { label: 'Heard of' });
await until(() => labelsOf(shown)[0] === 'Heard of');
report({ step: 'heard of', labels: labelsOf(shown) });
events.unsubscribe();

const malformed = await client.query(gql`{ node(id: "x") { id } }`, {}).toPromise();
report({ step: 'an error', code: malformed.error.graphQLErrors[0].extensions.code, warnings });
list.unsubscribe();
