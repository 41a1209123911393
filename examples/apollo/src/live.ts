// What other clients do, shown as it happens. Updates and checks need no line of code: they bring the destination, and
// the cache shows it wherever it is. A created row is put into the list, a deleted one taken out of the cache.
import { type ApolloCache, CombinedGraphQLErrors, type ErrorLike, type Reference } from '@apollo/client';
import { useApolloClient } from '@apollo/client/react';
import { useEffect, useRef, useState } from 'react';
import possibleTypes from '../../../schema/possibleTypes.json';
import { EVENTS, ITEM } from './documents';
import type { EventsSubscription, ItemFragment } from './gql/graphql';

type Event = EventsSubscription['backupDestinationEvents'];
interface Connection {
  edges: { cursor: string; node: Reference }[];
  pageInfo: { hasNextPage: boolean };
  totalCount: number;
}

/**
 * Follow the events after `start`, the `latestEventId` that was read with the first page; returns why they ended, if they
 * did. `reload` reads the list anew and returns its `latestEventId`: for a position that the gateway does not know any
 * more, as after its database was restored.
 */
export function useLiveUpdates(start: string | undefined, reload: () => Promise<string | undefined>): string | undefined {
  const client = useApolloClient();
  const position = useRef<string>(undefined);
  const [ended, setEnded] = useState<string>();
  const begins = start !== undefined;
  useEffect(() => {
    let subscription: { unsubscribe(): void } | undefined;
    let isMounted = true;
    function follow(after: string): void {
      position.current = after;
      subscription = client.subscribe({ query: EVENTS, variables: { after } }).subscribe(({ data, error }) => {
        if (data) {
          position.current = data.backupDestinationEvents.id;
          apply(client.cache, data.backupDestinationEvents);
        } else if (error && isUnknownEvent(error)) {
          void reload().then((latest) => isMounted && latest && follow(latest));
        } else if (error) {
          setEnded(error.message);
        }
      });
    }
    // StrictMode mounts twice: the second stream begins where the first ended.
    const after = position.current ?? start;
    if (after !== undefined) follow(after);
    return () => {
      isMounted = false;
      subscription?.unsubscribe();
    };
    // Later pages bring a newer `start`, which is not to begin another stream.
  }, [client, begins]);
  return ended;
}

function isUnknownEvent(error: ErrorLike): boolean {
  return CombinedGraphQLErrors.is(error) && error.errors[0]?.extensions?.reason === 'UNKNOWN_EVENT';
}

function apply(cache: ApolloCache, event: Event): void {
  if (event.__typename === 'BackupDestinationDeleted') {
    remove(cache, event.backupDestinationId);
  } else if (event.__typename === 'BackupDestinationCreated' && event.backupDestination) {
    insert(cache, { cursor: '', node: event.backupDestination });
  }
}

/** Put a new destination at the top, where the newest are; nothing where the list has it already. */
export function insert(cache: ApolloCache, edge: { cursor: string; node: ItemFragment }): void {
  const node = cache.writeFragment({ fragment: ITEM, fragmentName: 'Item', data: edge.node });
  if (node === undefined) return;
  cache.modify<Record<string, any>>({
    fields: {
      backupDestinations: (list: Connection) =>
        list.edges.some((each) => each.node.__ref === node.__ref)
          ? list
          : { ...list, edges: [{ ...edge, node }, ...list.edges], totalCount: list.totalCount + 1 },
    },
  });
}

/** Take a destination out of the list and the cache. One that no loaded page shows is on a page to come. */
export function remove(cache: ApolloCache, id: string): void {
  cache.modify<Record<string, any>>({
    fields: {
      backupDestinations(list: Connection, { readField }) {
        const edges = list.edges.filter(({ node }) => readField('id', node) !== id);
        const isGone = edges.length < list.edges.length || list.pageInfo.hasNextPage;
        return { ...list, edges, totalCount: list.totalCount - Number(isGone) };
      },
    },
  });
  for (const kind of possibleTypes.BackupDestination) cache.evict({ id: `${kind}:${id}` });
}
