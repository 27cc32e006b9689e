# ruff: noqa: RUF001 (signs of mathematics look like letters)
"""Make the fonts of the pages: ``python book/subset_font.py FILE ...``, of the files named below.

They have the letters and signs that the pages may need, and how to set them; tests compare. STIX
Two Math is version 2.11, which the package ziamath 0.13 brings; STIX Two Text, with the same
letters, comes with the npm package ``@fontsource/stix-two-text`` 5.3.0.
"""

import sys
from pathlib import Path

from fontTools import subset


def between(first: str, last: str) -> list[int]:
    """Return a range of characters."""
    return list(range(ord(first), ord(last) + 1))


# Signs that prose and tables show, too, and that the text face does not have.
OF_PROSE = [*map(ord, "š‑⁰⁴⁵⁶⁷⁸⁹⁻₀₁₂₃₄₅₆₇₈₉")]
MATHEMATICS = [
    *between(" ", "~"),
    *between("Α", "ω"),
    *between("𝐴", "𝑧"),  # what stands for a variable
    *between("𝛢", "𝜛"),
    *between("𝒜", "𝒵"),
    *map(ord, "ℎℬℰℱℋℐℒℳℛℂℕℚℝℤℙℓϵϕ\xa0¬¯±·×÷ˆ˜˙‖…′″‴⁡←↑→↓↔↦⇐⇒⇔∀∂∃∅∇∈∉∏∑−∓∗∘√∝∞∣∥∧∨∩∪∫∼≃≅≈≠≡≤≥≪≫"),
    *map(ord, "⊂⊆⊕⊗⊤⊥⋅⋮⋯⋱⌈⌉⌊⌋⏞⏟◻□⟨⟩⟹⟺"),
    *OF_PROSE,
]
TEXT = [*between(" ", "~"), *between("\xa0", "ÿ"), *map(ord, "\u0304–—‘’“”…−")]
GREEK = [*map(ord, "Δαβλρ")]  # variables of tables
FACES = {  # the source, and what becomes of it
    "STIXTwoMath-Regular.ttf": ("mathematics", "Report Math", "Regular", MATHEMATICS),
    "stix-two-text-latin-400-normal.woff": ("text", "Report Text", "Regular", TEXT),
    "stix-two-text-latin-400-italic.woff": ("text-italic", "Report Text", "Italic", TEXT),
    "stix-two-text-latin-600-normal.woff": ("text-bold", "Report Text", "Bold", TEXT),
    "stix-two-text-greek-400-italic.woff": ("greek-italic", "Report Greek", "Italic", GREEK),
}


def make(source: Path) -> None:
    """Write one font into ``book/static``, under a name of its own, as the licence asks."""
    target, family, style, characters = FACES[source.name]
    options = subset.Options()
    options.flavor = "woff"
    options.hinting = options.glyph_names = False
    options.layout_features = ["kern", "liga", "mark", "ccmp"] if characters is TEXT else []
    options.name_IDs = [0, 13, 14]  # the copyright and the licence
    font = subset.load_font(source, options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=characters)
    subsetter.subset(font)
    names = {1: family, 2: style, 4: f"{family} {style}".removesuffix(" Regular")}
    names[6] = f"{family}-{style}".replace(" ", "").removesuffix("-Regular")
    for number, name in names.items():
        font["name"].setName(name, number, 3, 1, 0x409)
    subset.save_font(font, Path(__file__).parent / f"static/{target}.woff", options)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        make(Path(name))
