/** Mercurius on Fastify with its just-in-time compiler, and pg. */
import fastify from "fastify";
import mercurius from "mercurius";
import { openDatabase } from "./database.js";
import { resolversOn, typeDefs } from "./graphql.js";

const database = openDatabase("graphql");
const server = fastify();
server.register(mercurius, {
  schema: typeDefs,
  resolvers: resolversOn(database),
  context: async (request) => ({ viewer: await database.viewerOf(request.headers.authorization) }),
  jit: 1,
  graphiql: false,
});
await server.listen({ host: "127.0.0.1", port: Number(process.env.PORT) });
