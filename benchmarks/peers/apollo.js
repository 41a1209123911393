/** Apollo Server on Fastify, the fastest of its integrations, and pg. */
import { ApolloServer } from "@apollo/server";
import fastifyApollo from "@as-integrations/fastify";
import fastify from "fastify";
import { openDatabase } from "./database.js";
import { resolversOn, typeDefs } from "./graphql.js";

const database = openDatabase("graphql");
const apollo = new ApolloServer({ typeDefs, resolvers: resolversOn(database), introspection: false });
await apollo.start();
const server = fastify();
await server.register(fastifyApollo(apollo), {
  path: "/graphql",
  context: async (request) => ({ viewer: await database.viewerOf(request.headers.authorization) }),
});
await server.listen({ host: "127.0.0.1", port: Number(process.env.PORT) });
