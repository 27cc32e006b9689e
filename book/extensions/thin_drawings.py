"""Make the SVG of a figure shorter, and leave what it draws.

Matplotlib writes six decimals of a point, a line for each point, its style with each mark, and
names that nothing refers to. A hundredth of a point is a fiftieth of what a screen resolves.
"""

import re

NUMBER = re.compile(r"-?\d+\.\d+")
DRAWN = re.compile(r'\b(x|y|points|x1|x2|y1|y2|width|height)="([^"]*)"|translate\(([^)]*)\)')
PATH = re.compile(r'\bd="([^"]*)"')
TOKEN = re.compile(r"[A-Za-z]|-?[\d.]+(?:e-?\d+)?")
NUMBERS = {"M": 2, "L": 2, "Q": 4, "C": 6, "Z": 0}  # that a command of matplotlib takes
SHIFTED = re.compile(r'(<use href="[^"]*") transform="translate\(([-\d.]+) ([-\d.]+)\)"')
STYLE = re.compile(r' style="([^"]*)"')


def rounded(text: str) -> str:
    """Round the numbers in a text to two decimals.

    Examples
    --------
    >>> rounded("37.832526 -0.001 5.0")
    '37.83 0 5'
    """

    def short(found: re.Match[str]) -> str:
        number = f"{float(found[0]):.2f}".rstrip("0").rstrip(".")
        return "0" if number == "-0" else number

    return NUMBER.sub(short, text)


def relative(path: str) -> str:
    """Write a path by the steps from point to point, in hundredths, so that no error adds up.

    Examples
    --------
    >>> relative("M 1.2345 10 L 2 9.5 L 2.5 9.5 z")
    'm1.23 10l.77-.5 .5 0z'
    """
    tokens = TOKEN.findall(path)
    if not {token for token in tokens if token.isalpha()} <= {*"MLQCz"}:
        return path  # it is written so already
    done, command, last = "", "", ""
    here = start = (0, 0)
    place = 0
    while place < len(tokens):
        if tokens[place].isalpha():
            command, place = tokens[place].upper(), place + 1
        count = NUMBERS[command]
        values = [round(100 * float(token)) for token in tokens[place : place + count]]
        place += count
        text = ""
        for k, value in enumerate(values):
            step = f"{(value - here[k % 2]) / 100:.2f}".rstrip("0").rstrip(".")
            step = re.sub(r"^(-?)0(?=\.)", r"\1", step)
            text += step if step.startswith("-") or not (text or command == last) else f" {step}"
        done += text if command == last else command.lower() + text
        here = (values[-2], values[-1]) if values else start
        start = here if command == "M" else start
        last = command
    return done


def named(number: int) -> str:
    """Return a short name, another one for each number.

    Examples
    --------
    >>> named(0), named(27), named(60)
    ('a', 'B', 'ia')
    """
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    more, number = divmod(number, len(letters))
    return letters[number] + (named(more - 1) if more else "")


def ungrouped(svg: str) -> str:
    """Take away the groups that are empty, or say nothing of what is in them.

    Examples
    --------
    >>> ungrouped('<g><g class="a"><g/><g><path/></g></g></g>')
    '<g class="a"><path/></g>'
    """
    open_groups: list[str] = []

    def kept(found: re.Match[str]) -> str:
        if found[0].endswith("/>"):
            return ""
        if found[0] == "</g>":
            return "" if open_groups.pop() == "<g>" else "</g>"
        open_groups.append(found[0])
        return "" if found[0] == "<g>" else found[0]

    return re.sub(r"<g\b[^>]*>|</g>", kept, svg)


def thin(svg: str) -> str:
    r"""Return a drawing that looks the same and is shorter.

    Examples
    --------
    >>> print(thin('<svg><g id="a"><path d="M 1.2345 0 L 2 3 z" style="fill: none"/></g>'))
    <svg><style>.a{fill:none}</style><path d="m1.23 0l.77 3z" class="a"/>
    >>> thin('<use xlink:href="#long" transform="translate(3.001 0)"/><path id="long"/>')
    '<use href="#a" x="3"/><path id="a"/>'
    """

    def drawn(found: re.Match[str]) -> str:
        if found[3] is not None:
            return f"translate({rounded(found[3])})"
        return f'{found[1]}="{rounded(found[2])}"'

    def shifted(found: re.Match[str]) -> str:
        moved = {at: by for at, by in (("x", found[2]), ("y", found[3])) if by != "0"}
        return found[1] + "".join(f' {at}="{by}"' for at, by in moved.items())

    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns:xlink="[^"]*"', "", svg).replace("xlink:href", "href")
    referred = set(re.findall(r"#([\w.-]+)", svg))
    svg = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in referred else "", svg)
    svg = PATH.sub(lambda found: f'd="{relative(found[1])}"', DRAWN.sub(drawn, svg))
    svg = SHIFTED.sub(shifted, svg)
    ids = {name: named(k) for k, name in enumerate(re.findall(r' id="([^"]*)"', svg))}
    svg = re.sub(
        r' id="([^"]*)"|(?<=[("])#([\w.-]+)(?=[)"])',
        lambda found: f' id="{ids[found[1]]}"' if found[1] else f"#{ids.get(found[2], found[2])}",
        svg,
    )
    styles = {text: named(k) for k, text in enumerate(dict.fromkeys(STYLE.findall(svg)))}
    if styles:
        svg = STYLE.sub(lambda found: f' class="{styles[found[1]]}"', svg)
        rules = "".join(
            f".{name}{{{text.replace(': ', ':').replace('; ', ';')}}}"
            for text, name in styles.items()
        )
        svg = re.sub(r"<svg\b[^>]*>", rf"\g<0><style>{rules}</style>", svg, count=1)
    svg = ungrouped(svg)
    return svg if "<text" in svg else re.sub(r">\s+<", "><", svg)
