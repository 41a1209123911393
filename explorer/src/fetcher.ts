// Sends GraphiQL's operations: queries and mutations over HTTP, subscriptions over a WebSocket of their own.
import type { Fetcher, FetcherParams } from '@graphiql/toolkit';
import { getOperationAST, parse, type ExecutionResult, type OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import { withToken } from './token';

/** What the gateway means by the codes it closes a socket with. */
const CLOSED: Record<number, string> = {
  4401: 'Subscriptions need a token: paste one above, or set an Authorization header.',
  4403: 'The token is not valid, or no longer.',
  4429: 'Too many requests; wait a moment.',
};

/** Run operations at `url`, with the headers of the headers pane and the token, on both transports. */
export function createFetcher(url: URL): Fetcher {
  return (given, options) => {
    const headers = withToken(options?.headers ?? {});
    const [params, operation] = resolved(given);
    return operation === 'subscription' ? listen(url, params, headers) : ask(url, params, headers);
  };
}

/** The operation that is meant. Just after a change of tabs GraphiQL still names that of the tab before. */
function resolved(params: FetcherParams): [FetcherParams, OperationTypeNode?] {
  try {
    const document = parse(params.query);
    const named = getOperationAST(document, params.operationName);
    const only = named ?? getOperationAST(document);
    return [named ? params : { ...params, operationName: only?.name?.value }, only?.operation];
  } catch {
    return [params]; // what does not parse is the gateway's to refuse
  }
}

async function ask(url: URL, params: FetcherParams, headers: Record<string, string>): Promise<any> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      accept: 'application/graphql-response+json, application/json;q=0.9',
      'content-type': 'application/json',
      ...headers,
    },
    body: JSON.stringify(params),
  });
  return answer.json();
}

/** The headers go into `connection_init`: a browser's WebSocket sends none of its own. */
async function* listen(url: URL, params: FetcherParams, headers: Record<string, string>) {
  const socket = new URL(url);
  socket.protocol = url.protocol.replace('http', 'ws');
  const client = createClient({ url: socket.href, connectionParams: headers });
  try {
    const { query, variables, operationName } = params;
    yield* client.iterate({ query, variables, operationName }) as AsyncIterable<ExecutionResult>;
  } catch (error) {
    throw error instanceof CloseEvent ? new Error(CLOSED[error.code] ?? `Closed: ${error.reason || error.code}`) : error;
  } finally {
    await client.dispose();
  }
}
