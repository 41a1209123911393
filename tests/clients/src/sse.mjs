// graphql-sse, each operation on a connection of its own: a query, a subscription, and one that goes on after it.
import { createClient } from 'graphql-sse';
import { authorization, report, rest, url } from './gateway.mjs';

const client = createClient({ url: `${url}/graphql`, headers: { authorization } });
const made = (label) => rest('POST', '', { label, type: 'local' });

async function ask(query) {
  for await (const answer of client.iterate({ query })) return answer;
}

const { data } = await ask('query Latest { viewer { databaseId } events(first: 1) { edges { node { id } } } }');
report({ step: 'queried', viewer: data.viewer });

const EVENTS = `
  subscription Events($after: ID) {
    backupDestinationEvents(after: $after) {
      __typename
      id
      protocol
      ... on BackupDestinationCreated { backupDestination { label } }
    }
  }
`;

async function heard(after, count) {
  const events = [];
  const subscription = client.iterate({ query: EVENTS, variables: { after } });
  while (events.length < count) events.push((await subscription.next()).value.data.backupDestinationEvents);
  await subscription.return();
  return events;
}

const listening = heard(data.events.edges[0].node.id, 2);
await made('First');
await made('Second');
const events = await listening;
report({ step: 'heard', events });

await made('While away');
report({ step: 'resumed', events: await heard(events.at(-1).id, 1) });

report({ step: 'an error', answer: await ask('{ noSuchField }') });
client.dispose();
