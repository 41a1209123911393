// graphql-ws: everything over one WebSocket, and a subscription that a lost connection does not rob of an event.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { report, rest, token, url } from './gateway.mjs';

const made = (label) => rest('POST', '', { label, type: 'local' });
const address = `${url.replace('http', 'ws')}/graphql`;
let dials = 0;
const client = createClient({
  url: address,
  webSocketImpl: WebSocket,
  connectionParams: { Authorization: `Bearer ${token}` },
  retryWait: () => made('While away'),
  on: { connecting: () => { dials += 1; } },
});

async function ask(query, variables) {
  for await (const answer of client.iterate({ query, variables })) return answer;
}

const { data } = await ask('query Latest { viewer { databaseId } events(first: 1) { edges { node { id } } } }');
report({ step: 'queried', viewer: data.viewer });

const EVENTS = `
  subscription Events($after: ID) {
    backupDestinationEvents(after: $after) {
      __typename
      id
      protocol
      tokenName
      ... on BackupDestinationCreated { backupDestination { __typename label } }
      ... on BackupDestinationDeleted { label }
    }
  }
`;
// The client sends `variables` as they are when it connects, again when it reconnects.
const variables = { after: data.events.edges[0].node.id };
const subscription = client.iterate({ query: EVENTS, variables });
async function heard() {
  const { value } = await subscription.next();
  const event = value.data.backupDestinationEvents;
  variables.after = event.id;
  return event;
}

const { id } = await made('Through REST');
report({ step: 'heard', event: await heard() });

const document = `mutation Delete($id: ID!) {
  deleteBackupDestination(id: $id) { ... on DeleteBackupDestinationPayload { deletedId } }
}`;
report({ step: 'mutated', answer: await ask(document, { id: `BackupDestination:${id}` }), event: await heard() });

const before = dials;
client.terminate();
report({ step: 'reconnected', event: await heard(), dials: dials - before });

const refused = await ask('{ noSuchField }').catch((errors) => errors);
report({ step: 'an error', errors: refused });
await subscription.return();

const stranger = createClient({ url: address, webSocketImpl: WebSocket, retryAttempts: 0 });
const turned = await stranger.iterate({ query: '{ __typename }' }).next().catch((event) => event);
report({ step: 'no token', code: turned.code });
await client.dispose();
