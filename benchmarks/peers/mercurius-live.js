/** Mercurius with its own subscriptions over WebSocket and its own emitter, fed by PostgreSQL's NOTIFY. */
import fastify from "fastify";
import mercurius from "mercurius";
import { openDatabase } from "./database.js";
import { listen, typeDefs } from "./events.js";
import { resolversOn } from "./graphql.js";

const database = openDatabase("graphql", { tells: true });
const topicOf = (userId) => `events of ${userId}`;
const server = fastify();
server.register(mercurius, {
  schema: typeDefs,
  resolvers: {
    ...resolversOn(database),
    Subscription: {
      backupDestinationEvents: { subscribe: (_root, _arguments, { pubsub, viewer }) => pubsub.subscribe(topicOf(viewer.user_id)) },
    },
  },
  context: async (request) => ({ viewer: await database.viewerOf(request.headers.authorization) }),
  subscription: {
    onConnect: async ({ payload }) => ({ viewer: await database.viewerOf(payload?.authorization) }),
  },
  jit: 1,
  graphiql: false,
});
await server.ready();
await listen((userId, event) =>
  server.graphql.pubsub.publish({ topic: topicOf(userId), payload: { backupDestinationEvents: event } }),
);
await server.listen({ host: "127.0.0.1", port: Number(process.env.PORT) });
