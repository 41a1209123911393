"""The four tables of Vanguard on MariaDB, as its migrations make them there, and rows for them."""

from __future__ import annotations

from collections.abc import Mapping

from tests.support.vanguard.mariadb_server import MariaDbServer
from tests.support.vanguard.vanguard_database import TABLES, Rows

_TABLES = """
CREATE TABLE users (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(255) NOT NULL,
  email varchar(255) NOT NULL UNIQUE, password varchar(255) DEFAULT NULL,
  created_at timestamp NULL DEFAULT NULL, updated_at timestamp NULL DEFAULT NULL);
CREATE TABLE user_suspensions (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, user_id bigint unsigned NOT NULL,
  suspended_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, suspended_until timestamp NULL DEFAULT NULL,
  lifted_at timestamp NULL DEFAULT NULL, FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE);
CREATE TABLE personal_access_tokens (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, tokenable_type varchar(255) NOT NULL,
  tokenable_id bigint unsigned NOT NULL, name varchar(255) NOT NULL, token varchar(64) NOT NULL UNIQUE,
  abilities text DEFAULT NULL, last_used_at timestamp NULL DEFAULT NULL, expires_at timestamp NULL DEFAULT NULL,
  created_at timestamp NULL DEFAULT NULL, updated_at timestamp NULL DEFAULT NULL,
  KEY personal_access_tokens_tokenable (tokenable_type, tokenable_id));
CREATE TABLE backup_destinations (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, user_id bigint unsigned NOT NULL, label varchar(255) NOT NULL,
  type varchar(255) NOT NULL, s3_access_key longtext DEFAULT NULL, s3_secret_key longtext DEFAULT NULL,
  s3_bucket_name longtext DEFAULT NULL, custom_s3_endpoint longtext DEFAULT NULL,
  custom_s3_region varchar(255) DEFAULT NULL,
  path_style_endpoint tinyint(1) NOT NULL DEFAULT 0, status varchar(255) NOT NULL DEFAULT 'unknown',
  created_at timestamp NULL DEFAULT NULL, updated_at timestamp NULL DEFAULT NULL,
  FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE);
"""


def into_mariadb(server: MariaDbServer, database: str, rows: Rows, *, highest: Mapping[str, int]) -> None:
    """Make a database with these rows; `highest` are ids that were given and are gone again."""
    statements = [
        f"CREATE DATABASE {database} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci; USE {database};",
        _TABLES,
    ]
    for table, names in TABLES.items():
        for row in rows.get(table, ()):
            present = [name for name in names if name in row]
            values = ", ".join(_literal(row[name]) for name in present)
            statements.append(f"INSERT INTO {table} ({', '.join(present)}) VALUES ({values});")  # noqa: S608 - our own rows
    statements += [f"ALTER TABLE {table} AUTO_INCREMENT = {id_ + 1};" for table, id_ in highest.items()]
    server.execute("\n".join(statements))


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(int(value))
    return f"CONVERT(X'{str(value).encode().hex()}' USING utf8mb4)"
