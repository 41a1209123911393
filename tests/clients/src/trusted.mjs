// Clients that send the ids of trusted documents and no text: Apollo's manifest, urql's two forms, and Relay's compiler.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { generatePersistedQueryIdsFromManifest } from '@apollo/persisted-query-lists';
import { Client, fetchExchange } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';
import { parse } from 'graphql';
import { authorization, report, url } from './gateway.mjs';

const { Environment, Network, RecordSource, Store, fetchQuery } = createRequire(import.meta.url)('relay-runtime');
const compiled = createRequire(import.meta.url)('./relay/__generated__/DestinationsQuery.graphql.js');
const manifest = JSON.parse(readFileSync(new URL('persisted-query-manifest.json', import.meta.url)));
const idOf = (name) => manifest.operations.find((operation) => operation.name === name).id;
const [uri, headers] = [`${url}/graphql`, { authorization }];

// What Apollo's tool finds in this file. A document that is parsed at run time is in no manifest.
const TRUSTED = gql`
  query Trusted { viewer { ...Person } }
  fragment Person on User { id name }
`;
const NAMED = gql`query Named { viewer { id name } }`;
const OTHER = parse('query Other { viewer { email } }');

/** Note what a request has in place of a document. */
function form(body) {
  if (body.query) return 'text';
  return body.documentId ? 'documentId' : `hash of ${body.extensions.persistedQuery.sha256Hash.length}`;
}

let sent = [];
function noting(address, options) {
  sent.push(form(JSON.parse(options.body)));
  return fetch(address, options);
}

function tell(step, name) {
  report({ step, name, sent });
  sent = [];
}

const http = new HttpLink({ uri, headers, fetch: noting });
const ids = generatePersistedQueryIdsFromManifest({ loadManifest: () => manifest });
const apollo = (link) => new ApolloClient({ link, cache: new InMemoryCache() });
const persisted = apollo(ApolloLink.from([new PersistedQueryLink(ids), http]));
tell('apollo', (await persisted.query({ query: TRUSTED })).data.viewer.name);
tell('apollo, by an ID of its own', (await persisted.query({ query: NAMED, fetchPolicy: 'network-only' })).data.viewer.name);

const urql = (...exchanges) => new Client({
  url: uri,
  preferGetMethod: false,
  exchanges: [...exchanges, fetchExchange],
  fetchOptions: { headers },
  fetch: noting,
});
const exchange = persistedExchange({
  enforcePersistedQueries: true,
  preferGetForPersistedQueries: false,
  generateHash: async (_, { definitions }) => idOf(definitions.find(({ name }) => name).name.value),
});
tell('urql, by its exchange', (await urql(exchange).query(TRUSTED, {}).toPromise()).data?.viewer.name);
// Without a text urql takes it in production alone, where a build has replaced the documents.
const reference = { kind: 'Document', definitions: [], documentId: `sha256:${idOf('Trusted')}` };
tell('urql, by document id', (await urql().query(reference, {}).toPromise()).data?.viewer.name);

const network = Network.create(async ({ id, text }, variables) => {
  const body = JSON.stringify(id ? { documentId: id, variables } : { query: text, variables });
  return (await noting(uri, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body })).json();
});
const relay = new Environment({ network, store: new Store(new RecordSource()) });
await fetchQuery(relay, compiled, { count: 2 }).toPromise();
const { viewer } = relay.getStore().getSource().get('client:root');
tell('relay', relay.getStore().getSource().get(viewer.__ref).name);

const refused = await apollo(http).query({ query: OTHER }).catch((error) => error);
tell('not trusted', CombinedGraphQLErrors.is(refused) ? refused.errors[0].extensions.code : String(refused));
process.exit();
