"""`moorings config show`: every setting, where it comes from, and no secret."""

from __future__ import annotations

import click

from app.cli.tables import print_json, print_table, printable, with_json
from app.settings import shown_settings

commands = click.Group("config", help="The settings of this environment.")


@commands.command("show")
@click.option("--changed", is_flag=True, help="Only those that are not the default.")
@with_json
def show(*, changed: bool, as_json: bool) -> None:
    """Show every setting and where it comes from; secrets are hidden. Needs no database."""
    found = [each for each in shown_settings() if not changed or each.source != "default"]
    if as_json:
        print_json([{"name": each.name, "value": each.value, "source": each.source} for each in found])
        return
    from rich.table import Table

    table = Table("Setting", "Value", "Source")
    for each in found:
        table.add_row(each.name, printable(each.value), printable(each.source))
    print_table(table)
