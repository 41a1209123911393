// Sockets that are refused for a while, over the rate limit and without a database: both clients come back by themselves.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { act, authorization, report, rest, until, url } from '../gateway.mjs';
import { createStreams } from './streams.js';

const query = 'subscription($after: ID) { backupDestinationEvents(after: $after) { id } }';
const list = { headers: { authorization } };

/** Open a stream with a client, and note why its sockets were closed and which events it got. */
function listen(make) {
  const seen = { codes: [], events: [], failures: [] };
  const client = make({
    url: `${url.replace('http', 'ws')}/graphql`,
    connectionParams: { authorization },
    webSocketImpl: WebSocket,
    on: {
      closed: ({ code }) => seen.codes.push(code),
      connected: () => { seen.connected = true; },
    },
  });
  client.subscribe({ query, variables: {} }, {
    next: ({ data }) => seen.events.push(data.backupDestinationEvents.id),
    error: (reason) => seen.failures.push(reason),
    complete: () => {},
  });
  return { client, seen };
}

async function untilRefused() {
  for (;;) {
    const answer = await fetch(`${url}/api/backup-destinations`, list);
    if (answer.status === 429 && Number(answer.headers.get('retry-after')) >= 3) return;
    if (answer.status === 429) await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function create(label) {
  for (;;) {
    try {
      return await rest('POST', '', { label, type: 'local' });
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

const CLIENTS = { 'graphql-ws': createClient, recipe: createStreams };
for (const refusal of ['over the limit', 'database away']) {
  await (refusal === 'over the limit' ? untilRefused() : act('database away'));
  const listening = Object.entries(CLIENTS).map(([name, make]) => ({ name, ...listen(make) }));
  await until(() => listening.every(({ seen }) => seen.codes.length > 0));
  if (refusal === 'database away') await act('database back');
  await until(() => listening.every(({ seen }) => seen.connected));
  // A stream without `after` begins where it was opened, which may be later than the socket.
  for (let number = 0; !listening.every(({ seen }) => seen.events.length > 0); number += 1) {
    await create(`${refusal} ${number}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  for (const { name, seen } of listening) report({ refusal, name, ...seen });
  await Promise.all(listening.map(({ client }) => client.dispose()));
}
process.exit();
