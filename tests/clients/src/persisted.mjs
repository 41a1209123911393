// Apollo's link for automatic persisted queries, unmodified: what it sends, and what the application sees.
import { createHash } from 'node:crypto';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { authorization, report, url } from './gateway.mjs';

const sent = [];
const http = new HttpLink({
  uri: `${url}/graphql`,
  headers: { authorization },
  fetch: (target, options) => {
    sent.push(String(options.body ?? '').includes('"query"') ? 'text' : `hash by ${options.method}`);
    return fetch(target, options);
  },
});
const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const client = () => new ApolloClient({
  link: ApolloLink.from([new PersistedQueryLink({ sha256, useGETForHashedQueries: process.env.BY_GET === 'yes' }), http]),
  cache: new InMemoryCache(),
});
const VIEWER = gql`query ${process.env.NAME} { viewer { id name } }`;

for (const step of ['first', 'second']) {
  const { data } = await client().query({ query: VIEWER });
  report({ step, name: data.viewer.name, sent: sent.splice(0) });
}
