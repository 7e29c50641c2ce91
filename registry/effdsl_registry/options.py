"""The options that commands share, in whatever package they are."""

from __future__ import annotations

from pathlib import Path

import click

# Store.find alone reads $EFFDSL_STORE, so that it means the same to a command, a script and a notebook.
STORE = click.option(
    "--store",
    "store_path",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the store. Default: $EFFDSL_STORE, else the nearest .effdsl/ from here up, else "
    ".effdsl/ in this project.",
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
