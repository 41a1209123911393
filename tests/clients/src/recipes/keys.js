// Mutations with a key and retries: answers are lost, commits are cut off, the gateway is away for a while.
import { ApolloClient, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { Client, fetchExchange } from '@urql/core';
import { act, authorization, report, url } from '../gateway.mjs';
import { keysAndRetries as links } from './keys-apollo.js';
import { keysAndRetries as exchanges } from './keys-urql.js';

const CREATE = gql`
  mutation Create($label: String!) {
    createBackupDestination(input: { local: { label: $label } }) {
      __typename
      ... on CreateBackupDestinationPayload { backupDestination { id label } }
    }
  }
`;
const OPTIONS = { url: `${url}/graphql`, uri: `${url}/graphql`, headers: { authorization } };


/** A `fetch` that notes the keys of a client's requests, and loses an answer when told to. */
function lossyFetch(notes) {
  return async (address, options) => {
    notes.keys.push(new Headers(options.headers).get('idempotency-key'));
    const answer = await fetch(address, options);
    if (!notes.isAnswerLost) return answer;
    notes.isAnswerLost = false;
    await answer.arrayBuffer();
    throw new TypeError('the connection was lost');
  };
}

const NOTES = { apollo: {}, urql: {} };
const apollo = new ApolloClient({
  link: links.concat(new HttpLink({ ...OPTIONS, fetch: lossyFetch(NOTES.apollo) })),
  cache: new InMemoryCache(),
});
const urql = new Client({
  ...OPTIONS,
  preferGetMethod: false,
  fetchOptions: () => ({ headers: OPTIONS.headers }),
  fetch: lossyFetch(NOTES.urql),
  exchanges: [...exchanges, fetchExchange],
});
const CLIENTS = {
  apollo: async (label) => (await apollo.mutate({ mutation: CREATE, variables: { label } })).data,
  urql: async (label) => (await urql.mutation(CREATE, { label }).toPromise()).data,
};

for (const fate of ['undisturbed', 'answer lost', 'cut before the commit', 'cut after the commit', 'gateway away']) {
  for (const notes of Object.values(NOTES)) Object.assign(notes, { keys: [], isAnswerLost: fate === 'answer lost' });
  if (fate !== 'undisturbed' && fate !== 'answer lost') await act(fate);
  const creating = Object.entries(CLIENTS).map(([client, create]) => create(`${client}, ${fate}`));
  if (fate === 'gateway away') await act('gateway back');
  for (const [number, client] of Object.keys(CLIENTS).entries()) {
    const { label } = (await creating[number]).createBackupDestination.backupDestination;
    report({ client, fate, label, keys: NOTES[client].keys });
  }
}
apollo.stop();
