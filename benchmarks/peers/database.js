/**
 * What the Node peers share: a pool of ten connections with prepared statements, the token looked up in the database
 * in every request, and the statements behind the four requests.
 */
import { createCipheriv, createHash, randomBytes, randomUUID, timingSafeEqual } from "node:crypto";
import pg from "pg";
import { openSqlite } from "./sqlite.js";

const POOL_SIZE = 10;
const KIND_NAMES = { amazon_s3: "Amazon S3", custom_s3: "Custom S3", local: "Local" };
const COLUMNS =
  "id, user_id, label, kind, bucket_name, region, endpoint, path_style_endpoint, reachability, created_at, updated_at";
const TOKEN = {
  name: "token",
  text: `SELECT tokens.id AS token_id, tokens.name AS token_name, digest, user_id, destination_count
    FROM tokens JOIN users ON users.id = tokens.user_id
    WHERE tokens.id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) AND disabled_at IS NULL`,
};
const LIST = { name: "list", text: `SELECT ${COLUMNS} FROM backup_destinations WHERE user_id = $1 ORDER BY id LIMIT $2` };
const PAGE = {
  name: "page",
  text: `SELECT ${COLUMNS} FROM backup_destinations
    WHERE user_id = $1 AND id > $3 AND ($4::text[] IS NULL OR kind = ANY($4)) ORDER BY id LIMIT $2`,
};
const NUMBERED = {
  name: "numbered",
  text: `SELECT ${COLUMNS} FROM backup_destinations WHERE user_id = $1 ORDER BY id LIMIT $2 OFFSET $3`,
};
const SHOW = { name: "show", text: `SELECT ${COLUMNS} FROM backup_destinations WHERE id = $1 AND user_id = $2` };
const UPDATE = {
  name: "update",
  text: `UPDATE backup_destinations SET label = $3, updated_at = date_trunc('second', now())
    WHERE id = $1 AND user_id = $2 RETURNING ${COLUMNS}`,
};
const INSERT = {
  name: "insert",
  text: `INSERT INTO backup_destinations (uid, user_id, label, kind, bucket_name, endpoint, path_style_endpoint,
      access_key, secret_key, credentials_set_at, created_at, updated_at)
    VALUES ($1, $2, $3, 'custom_s3', $4, $5, $6, $7, $8, date_trunc('second', now()), date_trunc('second', now()),
      date_trunc('second', now())) RETURNING ${COLUMNS}`,
};
const EVENT = {
  name: "event",
  text: `INSERT INTO events (user_id, kind, destination_id, label, changed_fields, protocol, token_id, token_name, occurred_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, date_trunc('second', now()))`,
};

export const CHANNEL = "peer_events";
const TOLD_EVENT = {
  name: "told event",
  text: `WITH added AS (${EVENT.text}
      RETURNING id::text, user_id, kind, destination_id, changed_fields, token_name, occurred_at)
    SELECT pg_notify('${CHANNEL}', row_to_json(added)::text) FROM added`,
};

export class Unauthenticated extends Error {
  statusCode = 401;
}

/**
 * The database at `DATABASE_URL` and the requests on it; `protocol` is what events call the API. With `tells`, the
 * transaction of a change sends its event, in JSON, to those that listen.
 */
export function openDatabase(protocol, { tells = false } = {}) {
  const path = process.env.DATABASE_URL.match(/^sqlite:\/\/(.*)/)?.[1];
  return path === undefined ? openPostgres(protocol, tells ? TOLD_EVENT : EVENT) : openEmbedded(path, protocol);
}

/** The viewer behind an Authorization header, whose token `find` looks up; throws Unauthenticated. */
async function authenticated(header, find) {
  const [, id, secret] = /^Bearer ([1-9][0-9]{0,8})\|(\S+)$/.exec(header ?? "") ?? [];
  const viewer = id && (await find(Number(id)));
  if (!viewer || !timingSafeEqual(createHash("sha256").update(secret).digest(), Buffer.from(viewer.digest, "hex"))) {
    throw new Unauthenticated("Unauthenticated.");
  }
  return viewer;
}

/** A SQLite file: lists of one size, and writes. */
function openEmbedded(path, protocol) {
  const [keyId, key] = process.env.SECRET_KEYS.split(":");
  const seal = sealer(keyId, Buffer.from(key, "base64"));
  const database = openSqlite(path, protocol);
  return {
    viewerOf: (header) => authenticated(header, database.token),
    list: database.list,
    numbered: database.list,
    update: database.update,
    create(viewer, given) {
      const uid = randomUUID();
      const sealed = ["access_key", "secret_key"].map((column) => seal(given[column], column, viewer.user_id, uid));
      const described = [given.label, given.bucket_name, given.endpoint, given.path_style_endpoint];
      return database.create(viewer, uid, described, sealed);
    },
  };
}

function openPostgres(protocol, event) {
  const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: POOL_SIZE });
  const [keyId, key] = process.env.SECRET_KEYS.split(":");
  const seal = sealer(keyId, Buffer.from(key, "base64"));

  async function write(viewer, statement, values, kind, changedFields) {
    const client = await pool.connect();
    try {
      await client.query("BEGIN");
      const row = (await client.query({ ...statement, values })).rows[0];
      if (row !== undefined) {
        const who = [protocol, viewer.token_id, viewer.token_name];
        await client.query({ ...event, values: [viewer.user_id, kind, row.id, row.label, changedFields, ...who] });
      }
      await client.query("COMMIT");
      return row;
    } catch (error) {
      await client.query("ROLLBACK");
      throw error;
    } finally {
      client.release();
    }
  }

  return {
    viewerOf: (header) =>
      authenticated(header, async (id) => (await pool.query({ ...TOKEN, values: [id] })).rows[0]),
    list: async (viewer, size) => (await pool.query({ ...LIST, values: [viewer.user_id, size] })).rows,
    /** The rows behind an id, of some kinds or, for null, of all. */
    page: async (viewer, size, after, kinds) =>
      (await pool.query({ ...PAGE, values: [viewer.user_id, size, after, kinds] })).rows,
    /** The page of a number from 1. */
    numbered: async (viewer, size, number) =>
      number === 1
        ? (await pool.query({ ...LIST, values: [viewer.user_id, size] })).rows
        : (await pool.query({ ...NUMBERED, values: [viewer.user_id, size, size * (number - 1)] })).rows,
    show: async (viewer, id) => (await pool.query({ ...SHOW, values: [id, viewer.user_id] })).rows[0],
    update: (viewer, id, label) => write(viewer, UPDATE, [id, viewer.user_id, label], "updated", "label"),
    create(viewer, given) {
      const uid = randomUUID();
      const sealed = ["access_key", "secret_key"].map((column) => seal(given[column], column, viewer.user_id, uid));
      const described = [given.label, given.bucket_name, given.endpoint, given.path_style_endpoint];
      return write(viewer, INSERT, [uid, viewer.user_id, ...described, ...sealed], "created", "");
    },
  };
}

export const kindName = (row) => KIND_NAMES[row.kind];

/** Seals as the gateway does (`models/vault/vault.py`), so that it can open what a peer stored. */
function sealer(keyId, key) {
  return (secret, column, userId, uid) => {
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", key, nonce);
    cipher.setAAD(Buffer.from(["s1", keyId, "backup_destinations", column, userId, uid].join("\x1f")));
    const sealed = Buffer.concat([nonce, cipher.update(secret, "utf8"), cipher.final(), cipher.getAuthTag()]);
    return `s1:${keyId}:${sealed.toString("base64url")}`;
  };
}
