/**
 * The embedded database of the Node peers: `node:sqlite`, as synchronous as better-sqlite3, and part of Node. Commits are
 * durable (`synchronous = FULL`), as the gateway's are.
 */
import { DatabaseSync } from "node:sqlite";

const COLUMNS =
  "id, user_id, label, kind, bucket_name, region, endpoint, path_style_endpoint, reachability, created_at, updated_at";
const NOW = "strftime('%Y-%m-%d %H:%M:%S+00:00', 'now')";
const STATEMENTS = {
  token: `SELECT tokens.id AS token_id, tokens.name AS token_name, digest, user_id, destination_count
    FROM tokens JOIN users ON users.id = tokens.user_id
    WHERE tokens.id = ? AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ${NOW}) AND disabled_at IS NULL`,
  list: `SELECT ${COLUMNS} FROM backup_destinations WHERE user_id = ? ORDER BY id LIMIT ?`,
  update: `UPDATE backup_destinations SET label = ?, updated_at = ${NOW} WHERE id = ? AND user_id = ? RETURNING ${COLUMNS}`,
  insert: `INSERT INTO backup_destinations (uid, user_id, label, kind, bucket_name, endpoint, path_style_endpoint,
      access_key, secret_key, credentials_set_at, created_at, updated_at)
    VALUES (?, ?, ?, 'custom_s3', ?, ?, ?, ?, ?, ${NOW}, ${NOW}, ${NOW}) RETURNING ${COLUMNS}`,
  event: `INSERT INTO events (user_id, kind, destination_id, label, changed_fields, protocol, token_id, token_name, occurred_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ${NOW})`,
};

/** The statements behind the requests on the file at `path`; `protocol` is what events call the API. */
export function openSqlite(path, protocol) {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000; PRAGMA synchronous = FULL");
  const prepared = Object.fromEntries(
    Object.entries(STATEMENTS).map(([name, text]) => [name, database.prepare(text)]),
  );

  function write(viewer, name, values, kind, changedFields) {
    database.exec("BEGIN IMMEDIATE");
    try {
      const row = prepared[name].get(...values);
      if (row !== undefined) {
        const who = [protocol, viewer.token_id, viewer.token_name];
        prepared.event.run(viewer.user_id, kind, row.id, row.label, changedFields, ...who);
      }
      database.exec("COMMIT");
      return row && present(row);
    } catch (error) {
      database.exec("ROLLBACK");
      throw error;
    }
  }

  return {
    token: (id) => prepared.token.get(id),
    list: (viewer, size) => prepared.list.all(viewer.user_id, size).map(present),
    update: (viewer, id, label) => write(viewer, "update", [label, id, viewer.user_id], "updated", "label"),
    create: (viewer, uid, [label, bucket, endpoint, pathStyle], sealed) =>
      write(viewer, "insert", [uid, viewer.user_id, label, bucket, endpoint, Number(pathStyle), ...sealed], "created", ""),
  };
}

/** A row as PostgreSQL's driver has it. */
const present = (row) => ({
  ...row,
  path_style_endpoint: row.path_style_endpoint === null ? null : Boolean(row.path_style_endpoint),
  created_at: new Date(row.created_at.replace(" ", "T")),
  updated_at: new Date(row.updated_at.replace(" ", "T")),
});
