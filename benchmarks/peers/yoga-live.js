/** GraphQL Yoga with its own server-sent events and publisher, and graphql-ws beside it, fed by PostgreSQL's NOTIFY. */
import { createServer } from "node:http";
import { useServer } from "graphql-ws/use/ws";
import { GraphQLError } from "graphql";
import { createPubSub, createSchema, createYoga } from "graphql-yoga";
import { WebSocketServer } from "ws";
import { openDatabase } from "./database.js";
import { listen, typeDefs } from "./events.js";
import { resolversOn } from "./graphql.js";

const database = openDatabase("graphql", { tells: true });
const events = createPubSub();
const refused = () => new GraphQLError("Unauthenticated.", { extensions: { http: { status: 401 } } });
const yoga = createYoga({
  schema: createSchema({
    typeDefs,
    resolvers: {
      ...resolversOn(database),
      Subscription: {
        backupDestinationEvents: {
          subscribe: (_root, _arguments, { viewer }) => events.subscribe("events", String(viewer.user_id)),
          resolve: (event) => event,
        },
      },
    },
  }),
  context: async ({ request, viewer }) => ({
    viewer: viewer ?? (await database.viewerOf(request.headers.get("authorization")).catch(() => Promise.reject(refused()))),
  }),
  graphiql: false,
  landingPage: false,
  logging: "error",
});
const server = createServer(yoga);
useServer(
  {
    onConnect: async (context) => {
      context.extra.viewer = await database.viewerOf(context.connectionParams?.authorization).catch(() => null);
      return context.extra.viewer !== null;
    },
    execute: (given) => given.rootValue.execute(given),
    subscribe: (given) => given.rootValue.subscribe(given),
    onSubscribe: async (context, _id, { operationName, query, variables }) => {
      const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
        ...context,
        req: context.extra.request,
        socket: context.extra.socket,
        viewer: context.extra.viewer,
      });
      const document = parse(query);
      const errors = validate(schema, document);
      if (errors.length > 0) return errors;
      const contextValue = await contextFactory();
      return { schema, operationName, document, variableValues: variables, contextValue, rootValue: { execute, subscribe } };
    },
  },
  new WebSocketServer({ server, path: yoga.graphqlEndpoint }),
);
await listen((userId, event) => events.publish("events", String(userId), event));
server.listen(Number(process.env.PORT), "127.0.0.1");
