"""The built explorer for the tests, and what they do on its pages in a browser."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any

from tests.support.browser.devtools import DEADLINE_S, POLL_S
from tests.support.browser.page import Page
from tests.support.gateway.gateway import Account
from tests.support.paths import ROOT

FOLDER = ROOT / "explorer"
AXE = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
EDITORS = "document.querySelectorAll('.monaco-editor .view-line').length > 5"
OPERATIONS = "document.querySelectorAll('.opblock').length === 6"
RESPONSE = "document.querySelector('.result-window')?.innerText.replaceAll('\\u00a0', ' ') ?? ''"
SERIOUS = ("serious", "critical")


def build() -> None:
    """Build the explorer unless it is current, as `make test` does before the tests."""
    subprocess.run([sys.executable, str(FOLDER / "build.py")], check=True)


async def open_graphiql(page: Page, account: Account) -> None:
    """Open GraphiQL and give it the token."""
    await page.open(f"{account.gateway.url}/graphql")
    await page.until(EDITORS)
    await use_token(page, account.token)


async def use_token(page: Page, token: str) -> None:
    """Type the token into the bar and wait until the page says whose it is."""
    await page.click("document.getElementById('token')")
    await page.evaluate("document.getElementById('token').select()")
    await page.type(token)
    await page.until(f"document.getElementById('token').value === {json.dumps(token)}")
    await page.press("Enter", 13, text="\r")
    await page.until("document.getElementById('who').className === 'good'")


async def open_reference(page: Page, account: Account) -> None:
    """Open the REST reference and give it the token."""
    await page.open(f"{account.gateway.url}/api/docs")
    await page.until(OPERATIONS)
    await use_token(page, account.token)


async def try_to_create(page: Page) -> str:
    """Unfold the operation that creates, send its example and return the status that is shown."""
    await page.click("document.querySelector('.opblock-post .opblock-summary-control')")
    await page.click("document.querySelector('.opblock-post .execute')")
    return str(
        await page.until("document.querySelector('.live-responses-table .response .response-col_status')?.innerText")
    )


async def open_tab(page: Page, title: str) -> None:
    """Choose one of GraphiQL's tabs and wait until the editor holds what is in it."""
    await page.click(f"[...document.querySelectorAll('.graphiql-tab-button')].find(b => b.innerText === '{title}')")
    await page.until(f"document.querySelector('.graphiql-tab-active').innerText.startsWith('{title}')")
    await page.until(f"{_editor('operation.graphql')}?.getValue().includes(' {title}')")


async def execute(page: Page) -> None:
    """Press GraphiQL's button."""
    await page.click("document.querySelector('.graphiql-execute-button')")


async def response_with(page: Page, text: str) -> str:
    """Wait until the answer that GraphiQL shows has this text in it, and return what is shown."""
    shown = json.dumps(text)
    return str(await page.until(f"(text => text.includes({shown}) && text)({RESPONSE})"))


async def cause_until_shown(page: Page, account: Account, label: str) -> str:
    """Make destinations of that label through REST until GraphiQL shows one: only what happens once it listens is."""
    async with asyncio.timeout(DEADLINE_S):
        while label not in (shown := str(await page.evaluate(RESPONSE))):
            await account.create("local", label=label)
            await asyncio.sleep(POLL_S)
    return shown


async def write(page: Page, name: str, text: str) -> None:
    """Put text in the place of what one of GraphiQL's editors holds; typing would have it complete the brackets."""
    await page.until(f"!!{_editor(name)}")
    await page.evaluate(f"{_editor(name)}.getModel().setValue({json.dumps(text)})")


async def know_the_schema(page: Page) -> None:
    """Open GraphiQL's docs and wait until they show the schema, which the editor receives at the same time."""
    await open_panel(page, "Docs")
    await page.until("document.querySelector('.graphiql-plugin').innerText.includes('Subscription')")


async def open_panel(page: Page, name: str) -> None:
    """Open one of GraphiQL's panels: Docs, History or Explorer."""
    place = ("Docs", "History", "Explorer").index(name)
    await page.click(f"document.querySelectorAll('.graphiql-sidebar button')[{place}]")
    await page.until(f"document.querySelector('.graphiql-plugin')?.innerText.startsWith('{name}')")


async def suggest(page: Page, name: str, *, line: int, column: int) -> None:
    """Put the cursor there, as Monaco counts, and ask the editor what could follow."""
    await page.evaluate(
        f"(editor => {{ editor.setPosition({{lineNumber: {line}, column: {column}}}); editor.focus();"
        f" editor.trigger('test', 'editor.action.triggerSuggest', {{}}); }})({_editor(name)})"
    )


def _editor(name: str) -> str:
    return f"globalThis.__MONACO?.editor.getEditors().find(editor => editor.getModel()?.uri.path.endsWith('{name}'))"


async def grave_faults(page: Page) -> list[str]:
    """What axe finds that makes the page inaccessible, once nothing on it moves."""
    await page.settled()
    await page.evaluate(AXE.read_text("utf-8") + ";0")
    found: list[dict[str, Any]] = await page.evaluate(
        "axe.run({resultTypes: ['violations']}).then(({violations}) => violations.map("
        "({id, impact, nodes}) => ({id, impact, html: nodes[0].html, count: nodes.length})))"
    )
    return [f"{fault['id']} x{fault['count']}: {fault['html'][:200]}" for fault in found if fault["impact"] in SERIOUS]
