import { useMutation } from '@apollo/client/react';
import { useState } from 'react';
import { CREATE, UPDATE } from './documents';
import type { CreateBackupDestinationInput, ItemFragment, UpdateBackupDestinationInput } from './gql/graphql';
import { insert } from './live';

type Kind = 'amazonS3' | 'customS3' | 'local';

const KINDS: Record<Kind, string> = {
  amazonS3: 'Amazon S3',
  customS3: 'another S3-compatible store',
  local: 'a directory on the server',
};
const KIND_OF: Record<ItemFragment['__typename'], Kind> = {
  AmazonS3Destination: 'amazonS3',
  CustomS3Destination: 'customS3',
  LocalDestination: 'local',
};

interface Props {
  /** The destination to change; none to create one. */
  destination: ItemFragment | undefined;
  onDone: () => void;
}

export function DestinationForm({ destination, onDone }: Props) {
  // What the person changes; the version that the changes are meant for; what another client made of it meanwhile.
  const [shown, setShown] = useState(destination);
  const [conflict, setConflict] = useState<ItemFragment>();
  const [kind, setKind] = useState<Kind>(destination ? KIND_OF[destination.__typename] : 'amazonS3');
  const [violations, setViolations] = useState<Record<string, string>>({});
  const [problem, setProblem] = useState<string>();
  const [create] = useMutation(CREATE);
  const [update] = useMutation(UPDATE);
  const bucket = shown && 'bucketName' in shown ? shown : undefined;

  async function save(form: FormData, version = shown?.version) {
    setViolations({});
    setProblem(undefined);
    try {
      await (shown && version !== undefined ? change(shown, version, form) : add(form));
    } catch (error) {
      setProblem((error as Error).message);
    }
  }

  async function add(form: FormData) {
    const { data } = await create({
      variables: { input: inputOf(kind, form) },
      update(cache, { data }) {
        const created = data?.createBackupDestination;
        if (created?.__typename === 'CreateBackupDestinationPayload') insert(cache, created.edge);
      },
    });
    const result = data?.createBackupDestination;
    if (result?.__typename === 'CreateBackupDestinationPayload') onDone();
    else if (result?.__typename === 'ValidationProblem') refuse(result.violations);
  }

  async function change(before: ItemFragment, version: number, form: FormData) {
    const variables = { id: before.id, input: changesOf(before, form), expectedVersion: version };
    const result = (await update({ variables })).data?.updateBackupDestination;
    setConflict(result?.__typename === 'ConflictProblem' ? result.backupDestination : undefined);
    if (result?.__typename === 'UpdateBackupDestinationPayload') onDone();
    else if (result?.__typename === 'ValidationProblem') refuse(result.violations);
    else setProblem(result?.message);
  }

  function takeTheirs(theirs: ItemFragment) {
    setShown(theirs);
    setConflict(undefined);
    setProblem(undefined);
  }

  /** A path is `["customS3", "endpoint"]` or `["customS3", "credentials", "accessKey"]`: its end is the field's name. */
  function refuse(list: { path: string[]; message: string }[]) {
    setViolations(Object.fromEntries(list.map(({ path, message }) => [path.at(-1), message])));
  }

  const field = (name: string, text: string, value: string | null | undefined, type = 'text') => (
    <label>
      {text}
      <input name={name} type={type} defaultValue={value ?? ''} autoComplete="off" aria-invalid={name in violations} />
      {name in violations && <em role="alert">{violations[name]}</em>}
    </label>
  );
  return (
    <form
      key={shown?.version}
      onSubmit={(event) => {
        event.preventDefault();
        void save(new FormData(event.currentTarget));
      }}
    >
      <h2>{shown ? `Change ${shown.label}` : 'A new destination'}</h2>
      {!shown && (
        <select name="kind" aria-label="Kind" value={kind} onChange={({ target }) => setKind(target.value as Kind)}>
          {Object.entries(KINDS).map(([name, text]) => <option key={name} value={name}>{text}</option>)}
        </select>
      )}
      {field('label', 'Label', shown?.label)}
      {kind !== 'local' && field('bucketName', 'Bucket', bucket?.bucketName)}
      {kind === 'customS3' && field('endpoint', 'Endpoint', bucket && 'endpoint' in bucket ? bucket.endpoint : '')}
      {kind !== 'local' && field('region', 'Region', bucket?.region)}
      {kind !== 'local' && (
        <label className="choice">
          <input name="pathStyleEndpoint" type="checkbox" defaultChecked={bucket?.pathStyleEndpoint ?? kind === 'customS3'} />
          The bucket is in the path
        </label>
      )}
      {kind !== 'local' && field('accessKey', shown ? 'Access key, if it changes' : 'Access key', '')}
      {kind !== 'local' && field('secretKey', shown ? 'Secret key, if it changes' : 'Secret key', '', 'password')}
      {problem && <p role="alert">{problem}</p>}
      {conflict && (
        <nav>
          <button type="button" onClick={() => takeTheirs(conflict)}>Show the new values</button>
          <button type="button" onClick={(event) => save(new FormData(event.currentTarget.form!), conflict.version)}>
            Save my changes nevertheless
          </button>
        </nav>
      )}
      <nav>
        <button type="submit">Save</button>
        <button type="button" onClick={onDone}>Cancel</button>
      </nav>
    </form>
  );
}

function inputOf(kind: Kind, form: FormData): CreateBackupDestinationInput {
  const label = text(form, 'label');
  if (kind === 'local') return { local: { label } };
  const rest = {
    label,
    bucketName: text(form, 'bucketName'),
    pathStyleEndpoint: form.has('pathStyleEndpoint'),
    credentials: { accessKey: text(form, 'accessKey'), secretKey: text(form, 'secretKey') },
  };
  const region = text(form, 'region');
  return kind === 'amazonS3'
    ? { amazonS3: { ...rest, region } }
    : { customS3: { ...rest, endpoint: text(form, 'endpoint'), region: region || null } };
}

/** The fields that differ from what the form began with: what another client changed beside them stays. */
function changesOf(before: ItemFragment, form: FormData): UpdateBackupDestinationInput {
  const changes: UpdateBackupDestinationInput = {};
  const was: Record<string, unknown> = { ...before };
  for (const name of ['label', 'bucketName', 'endpoint', 'region'] as const) {
    if (form.has(name) && text(form, name) !== (was[name] ?? '')) changes[name] = text(form, name) || null;
  }
  if ('pathStyleEndpoint' in before && form.has('pathStyleEndpoint') !== before.pathStyleEndpoint) {
    changes.pathStyleEndpoint = form.has('pathStyleEndpoint');
  }
  if (text(form, 'accessKey') || text(form, 'secretKey')) {
    changes.credentials = { accessKey: text(form, 'accessKey'), secretKey: text(form, 'secretKey') };
  }
  return changes;
}

function text(form: FormData, name: string): string {
  return String(form.get(name) ?? '');
}
