"""The compatibility door: `/api/backup-destinations` as the document shows it, byte for byte."""
