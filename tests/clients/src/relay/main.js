// Relay, compiled and run: fragments on interfaces, a connection by pages, an object refetched through `node`.
const runtime = require('relay-runtime');
const { createClient } = require('graphql-ws');
const WebSocket = require('ws');

const { ConnectionHandler, Environment, Network, Observable, RecordSource, ROOT_ID, Store } = runtime;
const compiled = (name) => require(`./__generated__/${name}.graphql`);

async function main({ authorization, report, rest, until, url }) {
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
  });
  let requests = 0;
  async function ask({ text: query }, variables) {
    requests += 1;
    const headers = { authorization, 'content-type': 'application/json', accept: 'application/graphql-response+json' };
    const body = JSON.stringify({ query, variables });
    return (await fetch(`${url}/graphql`, { method: 'POST', headers, body })).json();
  }
  const listen = ({ text: query }, variables) =>
    Observable.create((sink) => client.subscribe({ query, variables }, sink));
  const network = Network.create(ask, listen);
  const environment = new Environment({ network, store: new Store(new RecordSource()) });

  const load = (name, variables) => runtime.fetchQuery(environment, compiled(name), variables).toPromise();
  const read = (name, key) => environment.lookup(runtime.getSelector(compiled(name), key)).data;
  const mutate = (name, variables) =>
    new Promise((onCompleted, onError) => {
      runtime.commitMutation(environment, { mutation: compiled(name), variables, onCompleted, onError });
    });

  // What the components of a page would read, from the store alone.
  const operation = runtime.createOperationDescriptor(compiled('DestinationsQuery'), { count: 2 });
  environment.retain(operation);
  const root = () => environment.lookup(operation.fragment).data;
  const list = () => read('Destinations_list', root()).backupDestinations;
  const items = () => list().edges.map(({ node }) => read('Destinations_item', node));
  const tell = (step) => report({ step, labels: items().map(({ label }) => label), requests });

  await load('DestinationsQuery', { count: 2 });
  const person = runtime.readInlineData(compiled('DestinationsViewer_person'), root().viewer);
  report({ step: 'queried', person, total: list().totalCount });
  tell('the first page');

  while (list().pageInfo.hasNextPage) {
    await load('DestinationsPageQuery', { count: 2, cursor: list().pageInfo.endCursor });
  }
  tell('all pages');

  const [first, , third] = items();
  await mutate('DestinationsRenameMutation', { id: first.id, label: 'Renamed' });
  tell('renamed');

  const connections = [ConnectionHandler.getConnectionID(ROOT_ID, 'Destinations_backupDestinations')];
  await mutate('NewDestinationMutation', { input: { local: { label: 'Made' } }, connections });
  tell('created');
  await mutate('DestinationsDeleteMutation', { id: third.id, connections });
  tell('deleted');
  report({ step: 'a problem', answer: await mutate('DestinationsRenameMutation', { id: third.id, label: 'x' }) });

  await rest('PUT', `/${first.id.split(':')[1]}`, { label: 'From elsewhere' });
  await load('DestinationsItemQuery', { id: first.id });
  tell('refetched through node');

  const heard = runtime.requestSubscription(environment, {
    subscription: compiled('DestinationsEventsSubscription'),
    variables: { after: root().events.edges[0].node.id },
  });
  await rest('PUT', `/${first.id.split(':')[1]}`, { label: 'Heard of' });
  await until(() => items()[0].label === 'Heard of');
  tell('heard of');
  heard.dispose();
  await client.dispose();
}

import('../gateway.mjs').then(main);
