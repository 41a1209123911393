"""The credentials of a destination as other programs take them: rclone, restic, and whatever reads AWS's files."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.backups.refusals import BackupRefused
from models.checks.report import ProbeTarget
from s3.endpoint import DEFAULT_REGION, amazon_endpoint, is_amazon_region


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """What a program needs to use a bucket. Holds the secret key in the clear: to be printed, and for nothing else."""

    name: str
    """Of the remote or the profile, such as `moorings-7`."""
    bucket: str
    endpoint: str | None
    """None for Amazon's own."""
    region: str
    path_style: bool
    access_key: str
    secret_key: str

    @classmethod
    def of(cls, destination_id: int, target: ProbeTarget) -> Credentials:
        """Reveal the keys of a destination; raises `BackupRefused` where a value cannot be a line of a file."""
        found = cls(
            name=f"moorings-{destination_id}",
            bucket=target.bucket_name,
            endpoint=target.endpoint,
            region=target.region or DEFAULT_REGION,
            path_style=target.path_style,
            access_key=target.access_key.reveal(),
            secret_key=target.secret_key.reveal(),
        )
        texts = (found.bucket, found.endpoint or "", found.region, found.access_key, found.secret_key)
        if not all(text.isprintable() and text == text.strip() for text in texts):
            raise BackupRefused("A value of the destination has characters that these files cannot hold.")
        return found

    def as_aws(self) -> str:
        """A profile of a configuration file (`AWS_CONFIG_FILE`)."""
        lines = [
            f"[profile {self.name}]",
            f"aws_access_key_id = {self.access_key}",
            f"aws_secret_access_key = {self.secret_key}",
            f"region = {self.region}",
            *([] if self.endpoint is None else [f"endpoint_url = {self.endpoint}"]),
            "s3 =",
            f"    addressing_style = {'path' if self.path_style else 'virtual'}",
        ]
        return "\n".join(lines)

    def as_rclone(self) -> str:
        """A remote of `rclone.conf`; the bucket comes behind it, as in `moorings-7:nightly`."""
        if self.secret_key[:1] in ('"', "`") or self.access_key[:1] in ('"', "`"):
            raise BackupRefused("The file of rclone cannot hold a key that begins with a quotation mark.")
        lines = [
            f"# {self.name}:{self.bucket}",
            f"[{self.name}]",
            "type = s3",
            f"provider = {'AWS' if self.endpoint is None else 'Other'}",
            f"access_key_id = {self.access_key}",
            f"secret_access_key = {self.secret_key}",
            f"region = {self.region}",
            *([] if self.endpoint is None else [f"endpoint = {self.endpoint}"]),
            f"force_path_style = {str(self.path_style).lower()}",
            "no_check_bucket = true",
        ]
        return "\n".join(lines)

    def as_restic(self) -> str:
        """Variables for a shell; the repository is the bucket."""
        amazon = amazon_endpoint(self.region if is_amazon_region(self.region) else DEFAULT_REGION)
        variables = {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": self.region,
            "RESTIC_REPOSITORY": f"s3:{(self.endpoint or amazon).rstrip('/')}/{self.bucket}",
        }
        style = "path" if self.path_style else "dns"
        lines = [f"# restic -o s3.bucket-lookup={style} …"]
        return "\n".join([*lines, *(f"export {name}={shlex.quote(value)}" for name, value in variables.items())])


FORMATS: Mapping[str, Callable[[Credentials], str]] = {
    "rclone": Credentials.as_rclone,
    "restic": Credentials.as_restic,
    "aws": Credentials.as_aws,
}
"""What prints credentials for which program."""
