"""Who pays for what, on a screen: one granularity, rows that add up, and their total."""

from dedupe.model.questions import Answer, AnyQuestion
from dedupe.report.units import human, percent

_WIDEST = 56
#: columns of each granularity, and whether they add up
_COLUMNS = {"attributed": True, "exclusive": True, "shared": False, "referenced": False}


def render(question: AnyQuestion, answer: Answer, shown: Answer, *, plain: bool) -> str:
    """Rows of ``usage`` at the granularity that the question names, and the totals of all rows."""
    granularity = question.parameters["granularity"]
    every = answer.dicts()
    columns = [*(f"{name}_{granularity}" for name in _COLUMNS), "dead_bytes"]
    adding = [f"{name}_{granularity}" for name, adds in _COLUMNS.items() if adds] + ["dead_bytes"]
    sums = {name: sum(row[name] or 0 for row in every) for name in adding}
    whole = sums[columns[0]]

    def line(row: dict[str, int | None], name: str, images: object) -> list[str]:
        sizes = [
            "" if row.get(key) is None else human(row[key] or 0, plain=plain) for key in columns
        ]
        paid = row.get(columns[0])
        return [
            *sizes,
            "" if paid is None else percent(paid, whole),
            str(images or ""),
            _name(name),
        ]

    table = [
        [*_COLUMNS, "dead", "pays", "images", "name"],
        *(line(row, row["name"], row["images"]) for row in shown.dicts()),
        line(dict(sums), "total", ""),
    ]
    widths = [max(len(row[place]) for row in table) for place in range(len(table[0]))]
    text = "".join(
        "  ".join(
            cell if place == len(row) - 1 else cell.rjust(widths[place])
            for place, cell in enumerate(row)
        )
        + "\n"
        for row in table
    )
    return (
        f"{text}\nBytes {_MEANING[granularity]}. attributed, exclusive and dead add up; shared and"
        " referenced\ncount a unit in every row that holds it. Empty: not known.\n"
    )


_MEANING = {
    "compressed": "of blobs as stored, each digest once",
    "unpacked": "of layers unpacked, each once in its place",
    "content": "of distinct file contents, each once",
}


def _name(name: str) -> str:
    return name if len(name) <= _WIDEST else name[: _WIDEST - 1] + "…"
