"""The command ``merge``: the whole model that a fine-tuning made, its adapter in the weights."""

from __future__ import annotations

from pathlib import Path

import click
from effdsl_registry.options import STORE


@click.command()
@click.argument("key")
@click.argument("target", type=click.Path(path_type=Path))
@STORE
def merge(key: str, target: Path, store_path: Path | None) -> None:
    """Write the whole model that the fine-tuning KEY made to the new folder TARGET.

    Its adapter is merged into the weights that it was trained on, and the result loads with
    `AutoModelForCausalLM.from_pretrained(TARGET)`. `effdsl store checkout` gives the adapter alone.
    """
    from effdsl_registry.store import Store, StoreError

    from effdsl.from_canonical import decoded
    from effdsl.stages.tuning import Tuning
    from effdsl.task import Task
    from effdsl_runtime.data.text_files import DataError

    store = Store.find(store_path)
    record = store.record(key)
    task: Task = decoded(record.canonical)
    if not isinstance(task.workload, Tuning):
        raise click.UsageError(
            f"{key} is of {record.identity.stage}; `effdsl store checkout` gives its weights"
        )
    if target.exists():
        raise StoreError(f"{target} exists already; give the name of a new folder")
    click.echo("loading torch and the model", err=True)
    from effdsl_runtime.tuning.merging import write_merged

    try:
        write_merged(task, store.checkpoints, target)
    except DataError as error:
        raise StoreError(str(error)) from error
    click.echo(f"{target}: {sum(1 for _ in target.iterdir())} files")
