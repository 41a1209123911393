/**
 * What the peers with live events share: one connection of the process that listens, and the schema of subscriptions.
 * The payload of a NOTIFY is the event, so that nothing has to be read for a subscriber.
 */
import pg from "pg";
import { CHANNEL } from "./database.js";
import { typeDefs as others } from "./graphql.js";

export const typeDefs = `${others}
  interface BackupDestinationEvent {
    id: ID!
    occurredAt: DateTime!
    backupDestinationId: ID!
    tokenName: String
  }
  type BackupDestinationCreated implements BackupDestinationEvent {
    id: ID!
    occurredAt: DateTime!
    backupDestinationId: ID!
    tokenName: String
  }
  type BackupDestinationUpdated implements BackupDestinationEvent {
    id: ID!
    occurredAt: DateTime!
    backupDestinationId: ID!
    tokenName: String
    changedFields: [String!]!
  }
  type Subscription { backupDestinationEvents: BackupDestinationEvent! }
`;

/** Calls `publish` with the id of a user and an event of theirs in the schema's words, for each that is sent. */
export async function listen(publish) {
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
  client.on("notification", ({ payload }) => {
    const row = JSON.parse(payload);
    publish(row.user_id, present(row));
  });
  await client.connect();
  await client.query(`LISTEN ${CHANNEL}`);
}

const present = (row) => ({
  __typename: row.kind === "created" ? "BackupDestinationCreated" : "BackupDestinationUpdated",
  id: "BackupDestinationEvent:" + row.id,
  occurredAt: row.occurred_at,
  backupDestinationId: "BackupDestination:" + row.destination_id,
  tokenName: row.token_name,
  changedFields: row.changed_fields.split(" "),
});
