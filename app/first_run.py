"""The first start on an empty embedded database: a user, and its token shown once with a request to paste."""

from __future__ import annotations

import logging

from app.database import migrate, open_database
from app.secret_keys import open_vault
from app.settings import Settings, unknown_variables
from models.accounts.accounts import create_user, issue_token
from models.accounts.user import User

FIRST_EMAIL = "admin@localhost"
logger = logging.getLogger("moorings")


async def prepare(settings: Settings) -> str | None:
    """Migrate, hold the keys against the data, and make the first user; returns its token if one was made.

    Raises `DatabaseUnavailable`, `KeyRefused`.
    """
    for name in unknown_variables():
        logger.warning("%s is not a setting; is it misspelt?", name)
    await migrate(settings.address)
    async with open_database(settings.address):
        await open_vault(settings)
        if await User.exists():
            return None
        if settings.address.engine == "postgresql":
            logger.info("There is no user yet: `moorings user create`, then `moorings token create`, make one.")
            return None
        user = await create_user(email=FIRST_EMAIL, name="Admin")
        return await issue_token(user, name="first start")


def welcome(url: str, token: str) -> str:
    """What a person sees once, at the first start."""
    return f"""
  Welcome to Moorings. This database was empty, so there is a user now, {FIRST_EMAIL}, with this token.
  It is shown this once:

    {token}

  Open {url} in a browser, or try it here:

    curl -H 'Authorization: Bearer {token}' {url}/api/backup-destinations
"""
