"""The REST API for legacy clients: `/api/backup-destinations` as the document shows it, byte for byte."""
