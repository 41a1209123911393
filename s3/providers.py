"""Hosts of known providers, which have the region in their name, and their pages: data, with a source for every row."""

from __future__ import annotations

import re
from dataclasses import dataclass

from s3.endpoint import is_amazon_host

_PAGES = "docs/stores"


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """A provider's endpoints. `{}` in `host` is the region; without one every bucket is in `region`.

    `page` is the name of its page in docs/stores.
    """

    host: str
    page: str
    source: str
    region: str | None = None

    def region_of(self, host: str) -> str | None:
        """The region to sign requests to this host for; None when it is not one of the provider's."""
        pattern = re.escape(self.host).replace(r"\{\}", r"(?P<region>[a-z0-9-]{2,32})")
        found = re.fullmatch(rf"(?:[a-z0-9._-]+\.)?{pattern}", host)
        return None if found is None else self.region or found["region"]


PROVIDERS = (
    Provider(
        host="r2.cloudflarestorage.com",
        page="cloudflare-r2",
        region="auto",
        source="https://developers.cloudflare.com/r2/api/s3/api/",
    ),
    Provider(
        host="compat.objectstorage.{}.oraclecloud.com",
        page="oracle",
        source="https://docs.oracle.com/en-us/iaas/Content/Object/Tasks/s3compatibleapi.htm",
    ),
    Provider(
        host="compat.objectstorage.{}.oci.customer-oci.com",
        page="oracle",
        source="https://docs.oracle.com/en-us/iaas/Content/Object/Tasks/s3compatibleapi.htm",
    ),
    Provider(
        host="s3.{}.wasabisys.com",
        page="wasabi",
        source="https://docs.wasabi.com/docs/what-are-the-service-urls-for-wasabis-different-storage-regions",
    ),
    Provider(
        host="s3.{}.backblazeb2.com",
        page="backblaze-b2",
        source="https://www.backblaze.com/docs/cloud-storage-call-the-s3-compatible-api",
    ),
    Provider(
        host="s3.{}.scw.cloud", page="scaleway", source="https://www.scaleway.com/en/docs/object-storage/concepts/"
    ),
    Provider(
        host="{}.digitaloceanspaces.com",
        page="digitalocean",
        source="https://docs.digitalocean.com/products/spaces/reference/s3-compatibility/",
    ),
    Provider(
        host="{}.your-objectstorage.com",
        page="hetzner",
        source="https://docs.hetzner.com/storage/object-storage/overview/",
    ),
    Provider(
        host="s3.{}.io.cloud.ovh.net",
        page="ovh",
        source="https://help.ovhcloud.com/csm/en-public-cloud-storage-s3-location?id=kb_article_view&sysparm_article=KB0047384",
    ),
    Provider(
        host="s3.{}.cloud-object-storage.appdomain.cloud",
        page="ibm",
        source="https://cloud.ibm.com/docs/cloud-object-storage?topic=cloud-object-storage-endpoints",
    ),
    Provider(
        host="oss-{}.aliyuncs.com",
        page="alibaba-oss",
        source="https://www.alibabacloud.com/help/en/oss/user-guide/regions-and-endpoints",
    ),
    Provider(
        host="storage.googleapis.com",
        page="google",
        region="auto",
        source="https://cloud.google.com/storage/docs/interoperability",
    ),
    Provider(
        host="sos-{}.exo.io", page="exoscale", source="https://community.exoscale.com/product/storage/object-storage/"
    ),
    Provider(
        host="{}.vultrobjects.com", page="vultr", source="https://docs.vultr.com/products/cloud-storage/object-storage"
    ),
    Provider(
        host="{}.linodeobjects.com",
        page="linode",
        source="https://techdocs.akamai.com/cloud-computing/docs/object-storage-endpoints",
    ),
    Provider(host="s3.{}.amazonaws.com", page="amazon", source="https://docs.aws.amazon.com/general/latest/gr/s3.html"),
    Provider(
        host="s3.dualstack.{}.amazonaws.com",
        page="amazon",
        source="https://docs.aws.amazon.com/general/latest/gr/s3.html",
    ),
    Provider(
        host="s3-fips.{}.amazonaws.com", page="amazon", source="https://docs.aws.amazon.com/general/latest/gr/s3.html"
    ),
    Provider(
        host="s3-fips.dualstack.{}.amazonaws.com",
        page="amazon",
        source="https://docs.aws.amazon.com/general/latest/gr/s3.html",
    ),
)


def provider_of(host: str) -> Provider | None:
    """The provider a host belongs to; the most specific row, where one name ends like another."""
    return max((row for row in PROVIDERS if row.region_of(host)), key=lambda row: len(row.host), default=None)


def region_of(host: str) -> str | None:
    """The region that a provider's host is in, or None."""
    provider = provider_of(host)
    return None if provider is None else provider.region_of(host)


def is_same_provider(host: str, other: str) -> bool:
    """Whether both hosts belong to one provider, so that one may send keys to the other."""
    provider = provider_of(host)
    return provider is not None and provider.region_of(other) is not None


def page_of(host: str | None) -> str | None:
    """The path of the page about the provider that a host belongs to, or None; a host of None is Amazon's."""
    if host is None or is_amazon_host(host):
        return f"{_PAGES}/amazon.md"
    provider = provider_of(host)
    return None if provider is None else f"{_PAGES}/{provider.page}.md"
