// Apollo's link for batches, unmodified: what the application sees of the refusal.
import { ApolloClient, InMemoryCache, gql } from '@apollo/client';
import { BatchHttpLink } from '@apollo/client/link/batch-http';
import { authorization, report, url } from './gateway.mjs';

const client = new ApolloClient({
  link: new BatchHttpLink({ uri: `${url}/graphql`, headers: { authorization }, batchMax: 2, batchInterval: 20 }),
  cache: new InMemoryCache(),
});
const asked = [gql`{ viewer { id } }`, gql`{ viewer { id name } }`].map((query) => client.query({ query }));
const messages = (await Promise.allSettled(asked)).map(({ reason }) => reason?.message);
report({ step: 'a batch', messages });
