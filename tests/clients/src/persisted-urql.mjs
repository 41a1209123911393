// urql's exchange for persisted queries, unmodified: what it sends, and what the application sees.
import { Client, fetchExchange, gql } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';
import { authorization, report, url } from './gateway.mjs';

const sent = [];
const client = () => new Client({
  url: `${url}/graphql`,
  preferGetMethod: false,
  exchanges: [persistedExchange({ preferGetForPersistedQueries: process.env.BY_GET === 'yes' }), fetchExchange],
  fetchOptions: { headers: { authorization } },
  fetch: (target, options) => {
    const isText = String(options.body ?? '').includes('"query"') || String(target).includes('query=');
    sent.push(isText ? 'text' : `hash by ${options.method}`);
    return fetch(target, options);
  },
});
const VIEWER = gql`query ${process.env.NAME} { viewer { id name } }`;

for (const step of ['first', 'second']) {
  const { data, error } = await client().query(VIEWER, {}).toPromise();
  report({ step, name: data?.viewer.name ?? String(error), sent: sent.splice(0) });
}
