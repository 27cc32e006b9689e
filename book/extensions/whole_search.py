"""Sphinx extension: after an incremental build the search knows what it knows after a clean one.

Sphinx adds the pages that it writes to the index of the last build. There it leaves the words that
no page has any more, and drops the names that the other pages explain.
"""

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.search import js_index


def complete(app: Sphinx) -> list[Any]:
    """Mend the index, when all pages are written and it is not."""
    indexer = getattr(app.builder, "indexer", None)
    if indexer is None:
        return []
    for words in (indexer._mapping, indexer._title_mapping):
        for word in [word for word, pages in words.items() if not pages]:
            del words[word]
    file = Path(app.outdir, "searchindex.js")
    if file.exists():
        last = js_index.loads(file.read_text("utf8"))
        written = set(indexer._index_entries)
        for name, places in last["indexentries"].items():
            for number, anchor, main in places:
                page = last["docnames"][number]
                if page in app.env.found_docs - written:
                    entry = (name, anchor, "main" if main else "")
                    indexer._index_entries.setdefault(page, []).append(entry)
        for page in sorted(indexer._index_entries):
            indexer._index_entries[page] = indexer._index_entries.pop(page)
    return []


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("html-collect-pages", complete)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
