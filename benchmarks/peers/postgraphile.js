/**
 * PostGraphile on the gateway's own tables, served by its Node adapter: the token is looked up in every request, and the
 * only way in is `viewer`, which leads to the destinations of that user.
 */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { grafserv } from "postgraphile/grafserv/node";
import { context } from "postgraphile/grafast";
import { postgraphile } from "postgraphile";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { makePgService } from "postgraphile/adaptors/pg";
import { extendSchema, gql, jsonPgSmartTags } from "postgraphile/utils";
import pg from "pg";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const TOKEN = {
  name: "token",
  text: `SELECT user_id FROM tokens JOIN users ON users.id = tokens.user_id
    WHERE tokens.id = $1 AND digest = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
      AND disabled_at IS NULL`,
};

async function userOf(header) {
  const [, id, secret] = /^Bearer ([1-9][0-9]{0,8})\|(\S+)$/.exec(header ?? "") ?? [];
  const digest = secret && createHash("sha256").update(secret).digest("hex");
  const user = id && (await pool.query({ ...TOKEN, values: [Number(id), digest] })).rows[0];
  if (!user) throw Object.assign(new Error("Unauthenticated."), { statusCode: 401 });
  return user.user_id;
}

const Viewer = extendSchema(({ input: { pgRegistry } }) => ({
  typeDefs: gql`
    extend type Query {
      viewer: User
    }
  `,
  objects: {
    Query: { plans: { viewer: () => pgRegistry.pgResources.users.get({ id: context().get("userId") }) } },
  },
}));
const preset = {
  extends: [PostGraphileAmberPreset],
  plugins: [Viewer],
  pgServices: [makePgService({ pool, schemas: ["public"] })],
  schema: { defaultBehavior: "-insert -update -delete -query:resource:list -query:resource:connection -query:resource:single" },
  grafast: {
    explain: false,
    context: async (given) => ({ userId: await userOf(given.node?.req.headers.authorization) }),
  },
  grafserv: { graphqlPath: "/graphql", graphiql: false, websockets: false, watch: false },
};
const server = createServer();
await postgraphile(preset).createServ(grafserv).addTo(server);
server.listen(Number(process.env.PORT), "127.0.0.1");
