// Apollo Client for a gateway: queries and mutations over HTTP, events over one WebSocket that resumes by itself.
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { RetryLink } from '@apollo/client/link/retry';
import { relayStylePagination } from '@apollo/client/utilities';
import { OperationTypeNode, print } from 'graphql';
import { type Client as Socket, createClient as createSocket } from 'graphql-ws';
import { map, Observable } from 'rxjs';
import possibleTypes from '../../../schema/possibleTypes.json';

export interface Session {
  /** Where the gateway is, such as `http://127.0.0.1:8000`, without a slash at the end. */
  url: string;
  token: string;
}

/** Errors after which the same request, under the same key, is sent again. */
const WORTH_A_RETRY = new Set(['OUTCOME_UNKNOWN', 'IDEMPOTENCY_KEY_IN_USE', 'SERVICE_UNAVAILABLE']);
/** Why the gateway closes a WebSocket for good: the token is missing, or not valid any more. */
const NO_TOKEN = new Set([4401, 4403]);

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export function createClient({ url, token }: Session): ApolloClient {
  const authorization = `Bearer ${token}`;
  const socket = createSocket({
    url: `${url.replace('http', 'ws')}/graphql`,
    connectionParams: { authorization },
    lazyCloseTimeout: 1_000,
    // A restart of the gateway, a sleeping laptop: as long as the page is open, it tries again, every 30 seconds in the end.
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait: (retries) => pause(Math.min(30_000, 500 * 2 ** retries) * (0.5 + Math.random() / 2)),
    shouldRetry: (reason) => !(reason instanceof CloseEvent && NO_TOKEN.has(reason.code)),
  });
  const http = ApolloLink.from([
    onePerMutation(),
    new RetryLink({ attempts: { max: 5, retryIf: isWorthARetry } }),
    throwing(),
    new HttpLink({ uri: `${url}/graphql`, headers: { authorization } }),
  ]);
  return new ApolloClient({
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new ResumingLink(socket),
      http,
    ),
    cache: new InMemoryCache({
      possibleTypes,
      typePolicies: { Query: { fields: { backupDestinations: relayStylePagination(['filter', 'orderBy']) } } },
    }),
  });
}

/** A key for every mutation, made once and sent with each of its retries: the gateway carries it out at most once. */
function onePerMutation(): ApolloLink {
  return new SetContextLink(({ headers }, { operationType }) =>
    operationType === OperationTypeNode.MUTATION
      ? { headers: { ...headers, 'idempotency-key': crypto.randomUUID() } }
      : {},
  );
}

/** RetryLink looks at what is thrown: errors in a response that are worth a retry are thrown for it. */
function throwing(): ApolloLink {
  return new ApolloLink((operation, forward) =>
    forward(operation).pipe(
      map((result) => {
        if (result.errors?.some(({ extensions }) => WORTH_A_RETRY.has(String(extensions?.code)))) {
          throw new CombinedGraphQLErrors(result, result.errors);
        }
        return result;
      }),
    ),
  );
}

/** A request without an answer, which is a `TypeError` of `fetch`, and what `throwing` throws. */
function isWorthARetry(error: unknown): boolean {
  return error instanceof TypeError || CombinedGraphQLErrors.is(error);
}

/**
 * Subscriptions over graphql-ws, which sends the same variables again after each reconnect. Here `after` moves on with
 * every event, so that a reconnect brings what was missed, and nothing twice.
 */
class ResumingLink extends ApolloLink {
  constructor(private readonly socket: Socket) {
    super();
  }

  override request(operation: ApolloLink.Operation): Observable<ApolloLink.Result> {
    return new Observable((sink) => {
      const variables = { ...operation.variables };
      return this.socket.subscribe<Record<string, { id?: string } | null>>(
        { operationName: operation.operationName, query: print(operation.query), variables },
        {
          next: (result) => {
            variables.after = Object.values(result.data ?? {})[0]?.id ?? variables.after;
            sink.next(result as ApolloLink.Result);
          },
          error: (error) => sink.error(error),
          complete: () => sink.complete(),
        },
      );
    });
  }
}
