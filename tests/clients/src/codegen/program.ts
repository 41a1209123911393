// A typed program: every document is checked against the schema, every answer has the type of its document.
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print } from 'graphql';
import type { CreateBackupDestinationInput, ItemFragment } from './gql/graphql.js';
import { graphql } from './gql/index.js';

graphql(`
  fragment Item on BackupDestination {
    __typename
    id
    label
    ... on S3CompatibleDestination { bucketName reachability }
    ... on CustomS3Destination { endpoint }
  }
`);
const LIST = graphql(`
  query List($first: Int!, $filter: BackupDestinationFilter) {
    backupDestinations(first: $first, filter: $filter) { edges { node { ...Item } } }
  }
`);
const CREATE = graphql(`
  mutation Create($input: CreateBackupDestinationInput!) {
    createBackupDestination(input: $input) {
      __typename
      ... on CreateBackupDestinationPayload { backupDestination { ...Item } }
      ... on ValidationProblem { violations { path code message } }
    }
  }
`);

declare const process: { env: Record<string, string | undefined>; stdout: { write(text: string): void } };
const { GATEWAY_URL, GATEWAY_TOKEN } = process.env;

async function ask<Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Promise<Data> {
  const headers = { authorization: `Bearer ${GATEWAY_TOKEN}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ query: print(document), variables });
  const answer = await fetch(`${GATEWAY_URL}/graphql`, { method: 'POST', headers, body });
  const { data } = (await answer.json()) as { data: Data };
  return data;
}

function describe(item: ItemFragment): string {
  switch (item.__typename) {
    case 'CustomS3Destination':
      return `${item.label}: ${item.bucketName} at ${item.endpoint}, ${item.reachability.toLowerCase()}`;
    case 'AmazonS3Destination':
      return `${item.label}: ${item.bucketName} at Amazon`;
    case 'LocalDestination':
      return `${item.label}: a directory`;
  }
}

async function create(label: string): Promise<string> {
  const { createBackupDestination: result } = await ask(CREATE, { input: { local: { label } } });
  switch (result.__typename) {
    case 'CreateBackupDestinationPayload':
      return describe(result.backupDestination);
    case 'ValidationProblem':
      return result.violations.map(({ path, code }) => `${path.join('.')} ${code}`).join();
    case 'IdempotencyKeyProblem':
      return 'the key was used before';
  }
}

const local = { label: 'Cellar' };
const credentials = { accessKey: 'a-key', secretKey: 'a-secret' };
const customS3 = { label: 'Nightly', bucketName: 'nightly', endpoint: 'https://s3.example.com', credentials };
const kinds: CreateBackupDestinationInput[] = [{ local }, { customS3 }];
// @ts-expect-error: an input is of exactly one kind, and the compiler knows.
kinds.push({ local, customS3 });

const made = await create('Typed');
const refused = await create('');
const { backupDestinations } = await ask(LIST, { first: 10, filter: { kinds: ['CUSTOM_S3'] } });
const listed = backupDestinations.edges.map(({ node }) => describe(node));
process.stdout.write(`${JSON.stringify({ made, refused, listed })}\n`);
