import { useQuery } from '@apollo/client/react';
import { useCallback, useEffect, useRef, useState } from 'react';
import { DestinationForm } from './DestinationForm';
import { LIST } from './documents';
import type { ItemFragment } from './gql/graphql';
import { useLiveUpdates } from './live';
import { Row } from './Row';

export function Destinations({ onSignOut }: { onSignOut: () => void }) {
  const { data, error, loading, fetchMore, refetch } = useQuery(LIST);
  const [edited, setEdited] = useState<ItemFragment | 'new'>();
  const reload = useCallback(async () => (await refetch()).data?.viewer.latestEventId, [refetch]);
  const ended = useLiveUpdates(data?.viewer.latestEventId, reload);
  const list = data?.backupDestinations;
  const endCursor = list?.pageInfo.hasNextPage ? list.pageInfo.endCursor : null;

  return (
    <>
      <header>
        <h1>Backup destinations</h1>
        {data && <p>{`${data.viewer.name}: ${list?.totalCount}`}</p>}
        <button type="button" onClick={() => setEdited('new')}>New</button>
        <button type="button" onClick={onSignOut}>Sign out</button>
      </header>
      {error && <p role="alert">{error.message}</p>}
      {ended && <p role="alert">Live updates ended: {ended}</p>}
      {edited && (
        <DestinationForm
          key={edited === 'new' ? edited : edited.id}
          destination={edited === 'new' ? undefined : edited}
          onDone={() => setEdited(undefined)}
        />
      )}
      <ul>
        {list?.edges.map(({ node }) => <Row key={node.id} destination={node} onEdit={() => setEdited(node)} />)}
      </ul>
      {loading && <p>Loading …</p>}
      {endCursor && <More key={endCursor} onSeen={() => fetchMore({ variables: { after: endCursor } })} />}
    </>
  );
}

/** The end of what is loaded: seen once, it asks for the next page. */
function More({ onSeen }: { onSeen: () => unknown }) {
  const element = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    const observer = new IntersectionObserver(([entry]) => {
      if (!entry?.isIntersecting) return;
      observer.disconnect();
      onSeen();
    });
    observer.observe(element.current!);
    return () => observer.disconnect();
  }, []);
  return <p ref={element}>Loading more …</p>;
}
