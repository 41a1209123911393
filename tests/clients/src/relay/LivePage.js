// What the page of the recipes asks for in Relay; the subscription is the manual's.
const { graphql } = require('relay-runtime');

graphql`
  query LivePageQuery($count: Int!) {
    viewer { latestEventId }
    ...LivePage_list @arguments(count: $count)
  }
`;

graphql`
  fragment LivePage_list on Query
  @argumentDefinitions(count: { type: "Int!" }, cursor: { type: "String" })
  @refetchable(queryName: "LivePageMoreQuery") {
    backupDestinations(first: $count, after: $cursor, orderBy: { field: CREATED_AT, direction: DESC })
    @connection(key: "LivePage_backupDestinations", filters: []) {
      edges { node { id label } }
    }
  }
`;

graphql`
  mutation LivePageCreateMutation($label: String!, $connections: [ID!]!) {
    createBackupDestination(input: { local: { label: $label } }) {
      ... on CreateBackupDestinationPayload {
        edge @prependEdge(connections: $connections) { cursor node { id label } }
      }
    }
  }
`;
