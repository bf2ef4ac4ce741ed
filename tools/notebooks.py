"""Run the notebooks of `examples/` and keep what they show: `python tools/notebooks.py`."""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
CELL_WITHIN_S = 600


def executed(notebook: Path) -> nbformat.NotebookNode:
    """Return a notebook as it stands after a run from top to bottom, without the traces of when and by what it was run.

    Raises nbclient.exceptions.CellExecutionError with the cell and its error where one fails.
    """
    content = nbformat.read(notebook, as_version=4)
    client = NotebookClient(content, timeout=CELL_WITHIN_S, kernel_name="python3", record_timing=False)
    # In its own folder, as Jupyter runs it.
    client.execute(cwd=str(notebook.parent))
    content.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    return content


def main() -> None:
    """Renew every notebook of the folder."""
    for notebook in sorted(EXAMPLES.glob("*.ipynb")):
        nbformat.write(executed(notebook), notebook)
        print(f"{notebook.name}: {notebook.stat().st_size / 1000:.0f} kB", file=sys.stderr)


if __name__ == "__main__":
    main()
