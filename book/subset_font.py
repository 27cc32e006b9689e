# ruff: noqa: RUF001 (signs of mathematics look like letters)
"""Make the font of the mathematics: ``python book/subset_font.py STIXTwoMath-Regular.ttf``.

It has the letters and signs that the pages may need, and how to set them; a test compares. The
source is version 2.11 of STIX Two Math, which the package ziamath brings.
"""

import sys
from pathlib import Path

from fontTools import subset


def between(first: str, last: str) -> list[int]:
    """Return a range of characters."""
    return list(range(ord(first), ord(last) + 1))


CHARACTERS = [
    *between(" ", "~"),
    *between("Α", "ω"),
    *between("𝐴", "𝑧"),  # what stands for a variable
    *between("𝛢", "𝜛"),
    *between("𝒜", "𝒵"),
    *map(ord, "ℎℬℰℱℋℐℒℳℛℂℕℚℝℤℙℓϵϕ\xa0¬¯±·×÷ˆ˜˙‖…′″‴⁡←↑→↓↔↦⇐⇒⇔∀∂∃∅∇∈∉∏∑−∓∗∘√∝∞∣∥∧∨∩∪∫∼≃≅≈≠≡≤≥≪≫"),
    *map(ord, "⊂⊆⊕⊗⊤⊥⋅⋮⋯⋱⌈⌉⌊⌋⏞⏟◻□⟨⟩⟹⟺"),
]


def main() -> None:
    """Write ``book/static/mathematics.woff``, under a name of its own, as the licence asks."""
    options = subset.Options()
    options.flavor = "woff"
    options.hinting = options.glyph_names = False
    options.layout_features = []
    options.name_IDs = [0, 13, 14]  # the copyright and the licence
    font = subset.load_font(sys.argv[1], options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=CHARACTERS)
    subsetter.subset(font)
    for number, name in ((1, "Report Math"), (2, "Regular"), (4, "Report Math"), (6, "ReportMath")):
        font["name"].setName(name, number, 3, 1, 0x409)
    subset.save_font(font, Path(__file__).parent / "static/mathematics.woff", options)


if __name__ == "__main__":
    main()
