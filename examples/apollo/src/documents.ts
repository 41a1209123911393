// The operations of the page. Every selection that is shown has its `id`, so that one answer changes all that show it.
import { graphql } from './gql';

export const ITEM = graphql(`
  fragment Item on BackupDestination {
    id
    label
    kindName
    version
    ... on S3CompatibleDestination {
      bucketName
      region
      pathStyleEndpoint
      reachability
      lastCheck {
        id
        checkedAt
        failedStep
        code
        steps { name outcome remedy }
        suggestion { region endpoint pathStyleEndpoint }
      }
    }
    ... on CustomS3Destination { endpoint }
  }
`);

/** `latestEventId` is never newer than the list beside it: a stream from there misses nothing. */
export const LIST = graphql(`
  query List($after: String) {
    backupDestinations(first: 15, after: $after, orderBy: { field: CREATED_AT, direction: DESC }) {
      edges { cursor node { ...Item } }
      pageInfo { hasNextPage endCursor }
      totalCount
    }
    viewer { id name latestEventId }
  }
`);

export const EVENTS = graphql(`
  subscription Events($after: ID!) {
    backupDestinationEvents(after: $after) {
      id
      backupDestinationId
      ... on BackupDestinationCreated { backupDestination { ...Item } }
      ... on BackupDestinationUpdated { backupDestination { ...Item } }
      ... on BackupDestinationChecked { backupDestination { ...Item } }
    }
  }
`);

export const CREATE = graphql(`
  mutation Create($input: CreateBackupDestinationInput!) {
    createBackupDestination(input: $input) {
      ... on CreateBackupDestinationPayload { edge { cursor node { ...Item } } }
      ... on Problem { message }
      ... on ValidationProblem { violations { path message } }
    }
  }
`);

export const UPDATE = graphql(`
  mutation Update($id: ID!, $input: UpdateBackupDestinationInput!, $expectedVersion: Int!) {
    updateBackupDestination(id: $id, input: $input, expectedVersion: $expectedVersion) {
      ... on UpdateBackupDestinationPayload { backupDestination { ...Item } }
      ... on Problem { message }
      ... on ValidationProblem { violations { path message } }
      ... on ConflictProblem { backupDestination { ...Item } }
    }
  }
`);

export const DELETE = graphql(`
  mutation Delete($id: ID!) {
    deleteBackupDestination(id: $id) {
      ... on DeleteBackupDestinationPayload { deletedId }
      ... on Problem { message }
    }
  }
`);

export const CHECK = graphql(`
  mutation Check($id: ID!) {
    checkBackupDestination(id: $id) {
      ... on CheckBackupDestinationPayload { backupDestination { ...Item } }
      ... on Problem { message }
    }
  }
`);
