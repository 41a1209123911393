import { useMutation } from '@apollo/client/react';
import { useState } from 'react';
import { CHECK, DELETE, UPDATE } from './documents';
import type { ItemFragment } from './gql/graphql';
import { remove } from './live';

export function Row({ destination, onEdit }: { destination: ItemFragment; onEdit: () => void }) {
  const [problem, setProblem] = useState<string>();
  const onError = ({ message }: { message: string }) => setProblem(message);
  const [check, { loading: isChecking }] = useMutation(CHECK, { onError });
  const [update] = useMutation(UPDATE, { onError });
  const [drop] = useMutation(DELETE, { onError });
  const { id, label, kindName } = destination;

  async function onCheck() {
    setProblem(undefined);
    const result = (await check({ variables: { id } })).data?.checkBackupDestination;
    // A payload has the destination with its last check: the cache shows it without a line here.
    if (result && result.__typename !== 'CheckBackupDestinationPayload') setProblem(result.message);
  }

  async function onDelete() {
    if (!confirm(`Delete ${label}? What it holds stays where it is.`)) return;
    const result = (await drop({
      variables: { id },
      update(cache, { data }) {
        const deleted = data?.deleteBackupDestination;
        if (deleted?.__typename === 'DeleteBackupDestinationPayload') remove(cache, deleted.deletedId);
      },
    })).data?.deleteBackupDestination;
    if (result && result.__typename !== 'DeleteBackupDestinationPayload') setProblem(result.message);
  }

  async function onApply(suggestion: Suggestion) {
    const entries = Object.entries(suggestion).filter(([name, value]) => name !== '__typename' && value !== null);
    const variables = { id, input: Object.fromEntries(entries), expectedVersion: destination.version };
    const result = (await update({ variables })).data?.updateBackupDestination;
    if (result && result.__typename !== 'UpdateBackupDestinationPayload') setProblem(result.message);
  }

  const bucket = 'bucketName' in destination ? destination : undefined;
  const failed = bucket?.lastCheck?.steps.find(({ outcome }) => outcome === 'FAILED');
  const suggestion = bucket?.lastCheck?.suggestion;
  return (
    <li data-id={id}>
      <strong>{label}</strong>
      <span>{bucket ? `${kindName}: ${bucket.bucketName}` : kindName}</span>
      <span className={bucket?.reachability}>{isChecking ? 'checking' : bucket?.reachability.toLowerCase()}</span>
      <nav>
        {bucket && <button type="button" disabled={isChecking} onClick={onCheck}>Check</button>}
        <button type="button" onClick={onEdit}>Edit</button>
        <button type="button" onClick={onDelete}>Delete</button>
      </nav>
      {failed && (
        <p>
          {failed.name}: {failed.remedy}{' '}
          {suggestion && <button type="button" onClick={() => onApply(suggestion)}>Change that</button>}
        </p>
      )}
      {problem && <p role="alert">{problem}</p>}
    </li>
  );
}

type Suggestion = NonNullable<NonNullable<Extract<ItemFragment, { bucketName: string }>['lastCheck']>['suggestion']>;
