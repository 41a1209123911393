// Sockets that the gateway refuses for a while, as the test has it do: both clients come back by themselves.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { act, authorization, report, rest, until, url } from '../gateway.mjs';
import { createStreams } from './streams.js';

const query = 'subscription($after: ID) { backupDestinationEvents(after: $after) { id } }';
// The position is known, so that it does not matter whether the streams or the event are there first.
const variables = { after: 'BackupDestinationEvent:0' };
const CLIENTS = { 'graphql-ws': createClient, recipe: createStreams };
const NORMAL_CLOSURE = 1000;

/** Open a stream with a client, and note why its sockets were closed and which events it got. */
function listen(name) {
  const seen = { name, isConnected: false, codes: [], events: [], failures: [] };
  const client = CLIENTS[name]({
    url: `${url.replace('http', 'ws')}/graphql`,
    connectionParams: { authorization },
    webSocketImpl: WebSocket,
    on: {
      closed: ({ code }) => { if (code !== NORMAL_CLOSURE) seen.codes.push(code); },
      connected: () => { seen.isConnected = true; },
    },
  });
  client.subscribe({ query, variables }, {
    next: ({ data }) => seen.events.push(data.backupDestinationEvents.id),
    error: (reason) => seen.failures.push(reason),
    complete: () => {},
  });
  return { client, seen };
}

/** Streams of both clients while the gateway refuses; opened anew when one was so late that it was accepted. */
async function listenRefused() {
  for (;;) {
    await act('refuse');
    const listening = Object.keys(CLIENTS).map(listen);
    await until(() => listening.every(({ seen }) => seen.isConnected || seen.codes.length > 0));
    if (listening.every(({ seen }) => seen.codes.length > 0)) return listening;
    for (const { seen } of listening) report(seen);
    await Promise.all(listening.map(({ client }) => client.dispose()));
  }
}

const listening = await listenRefused();
await act('accept');
await rest('POST', '', { label: 'Back', type: 'local' });
await until(() => listening.every(({ seen }) => seen.events.length > 0 || seen.failures.length > 0));
for (const { seen } of listening) report(seen);
await Promise.all(listening.map(({ client }) => client.dispose()));
process.exit();
