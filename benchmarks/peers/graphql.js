/** What the two GraphQL peers on `graphql-js` share: the schema with one flat type, and the resolvers. */
import { kindName } from "./database.js";

export const typeDefs = `
  scalar DateTime
  enum DestinationKind { AMAZON_S3 CUSTOM_S3 LOCAL }
  enum Reachability { UNKNOWN CHECKING REACHABLE UNREACHABLE }
  type BackupDestination {
    id: ID!
    databaseId: Int!
    label: String!
    kindName: String!
    createdAt: DateTime!
    updatedAt: DateTime!
    bucketName: String
    pathStyleEndpoint: Boolean
    reachability: Reachability!
    endpoint: String
    region: String
  }
  type BackupDestinationEdge { node: BackupDestination! }
  type BackupDestinationConnection { totalCount: Int! edges: [BackupDestinationEdge!]! }
  type Query {
    backupDestinations(first: Int = 15, after: String, kinds: [DestinationKind!]): BackupDestinationConnection!
    node(id: ID!): BackupDestination
  }
  input S3CredentialsInput { accessKey: String! secretKey: String! }
  input CustomS3DestinationInput {
    label: String!
    bucketName: String!
    endpoint: String!
    pathStyleEndpoint: Boolean! = false
    credentials: S3CredentialsInput!
  }
  input CreateBackupDestinationInput { customS3: CustomS3DestinationInput! }
  type CreateBackupDestinationPayload { backupDestination: BackupDestination! }
  input UpdateBackupDestinationInput { label: String! }
  type UpdateBackupDestinationPayload { backupDestination: BackupDestination }
  type Mutation {
    createBackupDestination(input: CreateBackupDestinationInput!): CreateBackupDestinationPayload!
    updateBackupDestination(id: ID!, input: UpdateBackupDestinationInput!): UpdateBackupDestinationPayload!
  }
`;

const MAX_SIZE = 100;
const PREFIX = "BackupDestination:";
const numberOf = (id) => Number(id.slice(PREFIX.length));

/** A row in the schema's words, so that the default resolvers find everything in its place. */
const present = (row) => ({
  id: PREFIX + row.id,
  databaseId: row.id,
  label: row.label,
  kindName: kindName(row),
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
  bucketName: row.bucket_name,
  pathStyleEndpoint: row.path_style_endpoint,
  reachability: row.reachability.toUpperCase(),
  endpoint: row.endpoint,
  region: row.region,
});

export const resolversOn = (database) => ({
  Query: {
    async backupDestinations(_, { first, after, kinds }, { viewer }) {
      const size = Math.min(first, MAX_SIZE);
      const named = kinds?.map((kind) => kind.toLowerCase()) ?? null;
      const rows = after ? await database.page(viewer, size, Number(after), named) : await database.list(viewer, size);
      return { totalCount: viewer.destination_count, edges: rows.map((row) => ({ node: present(row) })) };
    },
    async node(_, { id }, { viewer }) {
      const row = await database.show(viewer, numberOf(id));
      return row && present(row);
    },
  },
  Mutation: {
    async createBackupDestination(_, { input: { customS3: given } }, { viewer }) {
      const row = await database.create(viewer, {
        label: given.label,
        bucket_name: given.bucketName,
        endpoint: given.endpoint,
        path_style_endpoint: given.pathStyleEndpoint,
        access_key: given.credentials.accessKey,
        secret_key: given.credentials.secretKey,
      });
      return { backupDestination: present(row) };
    },
    async updateBackupDestination(_, { id, input }, { viewer }) {
      const row = await database.update(viewer, numberOf(id), input.label);
      return { backupDestination: row && present(row) };
    },
  },
});
