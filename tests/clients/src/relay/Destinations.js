// What the components of a Relay application ask for; relay-compiler turns it into `__generated__`.
const { graphql } = require('relay-runtime');

graphql`
  query DestinationsQuery($count: Int!) {
    viewer { ...DestinationsViewer_person }
    events(first: 1) { edges { node { id } } }
    ...Destinations_list @arguments(count: $count)
  }
`;

graphql`
  fragment DestinationsViewer_person on User @inline { name email }
`;

graphql`
  fragment Destinations_list on Query
  @argumentDefinitions(count: { type: "Int!" }, cursor: { type: "String" })
  @refetchable(queryName: "DestinationsPageQuery") {
    backupDestinations(first: $count, after: $cursor) @connection(key: "Destinations_backupDestinations") {
      __id
      totalCount
      edges { node { id ...Destinations_item } }
    }
  }
`;

graphql`
  fragment Destinations_item on BackupDestination @refetchable(queryName: "DestinationsItemQuery") {
    id
    label
    ... on S3CompatibleDestination { bucketName }
  }
`;

graphql`
  mutation DestinationsRenameMutation($id: ID!, $label: String!) {
    updateBackupDestination(id: $id, input: { label: $label }) {
      __typename
      ... on UpdateBackupDestinationPayload { backupDestination { ...Destinations_item } }
      ... on Problem { message }
    }
  }
`;

graphql`
  mutation DestinationsDeleteMutation($id: ID!, $connections: [ID!]!) {
    deleteBackupDestination(id: $id) {
      ... on DeleteBackupDestinationPayload { deletedId @deleteEdge(connections: $connections) @deleteRecord }
    }
  }
`;

graphql`
  subscription DestinationsEventsSubscription($after: ID) {
    backupDestinationEvents(after: $after) {
      id
      ... on BackupDestinationUpdated { backupDestination { ...Destinations_item } }
    }
  }
`;
