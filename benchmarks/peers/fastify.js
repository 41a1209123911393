/** Fastify with JSON schemas, which make its serializer, and pg. */
import fastify from "fastify";
import { kindName, openDatabase } from "./database.js";

const PATH = "/api/backup-destinations";
const TYPES = { amazon_s3: "s3", custom_s3: "custom_s3", local: "local" };
const text = { type: "string" };
const integer = { type: "integer" };
const timestamp = { type: "string", format: "date-time" };
const object = (properties, required = []) => ({ type: "object", properties, required });
const destination = object({
  id: integer,
  user_id: integer,
  label: text,
  type: text,
  type_human: text,
  s3_bucket_name: text,
  path_style_endpoint: { type: "boolean" },
  s3_region: text,
  s3_endpoint: text,
  created_at: timestamp,
  updated_at: timestamp,
});
const nullableText = { type: "string", nullable: true };
const page = object({
  data: { type: "array", items: destination },
  links: object({ first: text, last: text, prev: nullableText, next: nullableText }),
  meta: object({
    current_page: integer,
    from: { type: "integer", nullable: true },
    last_page: integer,
    path: text,
    per_page: integer,
    to: { type: "integer", nullable: true },
    total: integer,
  }),
});
const size = { type: "integer", minimum: 1, maximum: 100, default: 15 };
const label = { type: "string", minLength: 1, maxLength: 255 };
const byId = object({ id: { type: "integer", minimum: 1, maximum: 2 ** 31 - 1 } }, ["id"]);
const creation = object(
  {
    label,
    type: { const: "custom_s3" },
    s3_bucket_name: label,
    custom_s3_endpoint: { type: "string", pattern: "^https?://", maxLength: 2048 },
    path_style_endpoint: { type: "boolean" },
    s3_access_key: label,
    s3_secret_key: label,
  },
  ["label", "type", "s3_bucket_name", "custom_s3_endpoint", "path_style_endpoint", "s3_access_key", "s3_secret_key"],
);

const database = openDatabase("rest");
const server = fastify();
server.decorateRequest("viewer", null);
server.addHook("onRequest", async (request) => {
  request.viewer = await database.viewerOf(request.headers.authorization);
});

function represent(row) {
  const shown = { id: row.id, user_id: row.user_id, label: row.label, type: TYPES[row.kind], type_human: kindName(row) };
  if (row.kind !== "local") {
    shown.s3_bucket_name = row.bucket_name;
    shown.path_style_endpoint = row.path_style_endpoint;
    if (row.kind === "amazon_s3") shown.s3_region = row.region;
    else shown.s3_endpoint = row.endpoint;
  }
  shown.created_at = row.created_at;
  shown.updated_at = row.updated_at;
  return shown;
}

function single(row, reply) {
  return row === undefined ? reply.code(404).send({ message: "Not found." }) : { data: represent(row) };
}

const number = { type: "integer", minimum: 1, default: 1 };

server.get(PATH, { schema: { querystring: object({ page: number, per_page: size }), response: { 200: page } } }, async (request) => {
  const { viewer, query } = request;
  const rows = await database.numbered(viewer, query.per_page, query.page);
  const url = `http://${request.host}${PATH}`;
  const last = Math.max(1, Math.ceil(viewer.destination_count / query.per_page));
  const at = (page) => `${url}?page=${page}`;
  const before = query.per_page * (query.page - 1);
  return {
    data: rows.map(represent),
    links: {
      first: at(1),
      last: at(last),
      prev: query.page > 1 ? at(query.page - 1) : null,
      next: last > query.page ? at(query.page + 1) : null,
    },
    meta: {
      current_page: query.page,
      from: rows.length ? before + 1 : null,
      last_page: last,
      path: url,
      per_page: query.per_page,
      to: rows.length ? before + rows.length : null,
      total: viewer.destination_count,
    },
  };
});

const one = { 200: object({ data: destination }), 201: object({ data: destination }) };
server.get(`${PATH}/:id`, { schema: { params: byId, response: one } }, async (request, reply) =>
  single(await database.show(request.viewer, request.params.id), reply),
);
server.put(
  `${PATH}/:id`,
  { schema: { params: byId, body: object({ label }, ["label"]), response: one } },
  async (request, reply) => single(await database.update(request.viewer, request.params.id, request.body.label), reply),
);
server.post(PATH, { schema: { body: creation, response: one } }, async (request, reply) => {
  const { body } = request;
  const row = await database.create(request.viewer, {
    label: body.label,
    bucket_name: body.s3_bucket_name,
    endpoint: body.custom_s3_endpoint,
    path_style_endpoint: body.path_style_endpoint,
    access_key: body.s3_access_key,
    secret_key: body.s3_secret_key,
  });
  reply.code(201);
  return single(row, reply);
});
await server.listen({ host: "127.0.0.1", port: Number(process.env.PORT) });
