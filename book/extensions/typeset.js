/* TeX to MathML, by MathJax's own parser and with TeX's spacing; extensions/typeset.py runs it at build.

Browsers set MathML Core: letters of other alphabets by their own characters instead of a variant,
columns by style sheets, and space around operators by a table of theirs, which knows nothing of how
TeX classifies them. So each operator says the space that TeX leaves, where that is not the browser's.
*/

const { mathjax } = MathJax._.mathjax;
const { TeX } = MathJax._.input.tex_ts;
const { liteAdaptor } = MathJax._.adaptors.liteAdaptor;
const { RegisterHTMLHandler } = MathJax._.handlers.html_ts;
const { STATE } = MathJax._.core.MathItem;

RegisterHTMLHandler(liteAdaptor());
const parser = mathjax.document("", { InputJax: new TeX({ packages: ["base", "ams"] }) });

const SPACE = { "": 0, thinmathspace: 3, mediummathspace: 4, thickmathspace: 5 }; // of 18 in an em
const BROWSERS = { "=<>≤≥≠≈∼∈→↦⟺": [5, 5], "+−±": [4, 4], "()[]": [0, 0], ",": [0, 3], "\u2061": [0, 0] };
const ALPHABETS = {
  bold: [0x1d400, 0x1d41a],
  script: [0x1d49c, 0x1d4b6],
  "-tex-calligraphic": [0x1d49c, 0x1d4b6],
  "double-struck": [0x1d538, 0x1d552],
};
const ELSEWHERE = { // letters that Unicode had before the alphabets
  "𝒝": "ℬ", "𝒠": "ℰ", "𝒡": "ℱ", "𝒣": "ℋ", "𝒤": "ℐ", "𝒧": "ℒ", "𝒨": "ℳ", "𝒭": "ℛ",
  "𝔺": "ℂ", "𝔿": "ℍ", "𝕅": "ℕ", "𝕇": "ℙ", "𝕈": "ℚ", "𝕉": "ℝ", "𝕑": "ℤ",
};
const ACCENTS = { "^": "ˆ", "~": "˜" }; // the operators stand too high, and apart
const KEPT = ["stretchy", "movablelimits", "minsize", "maxsize", "width", "linethickness", "displaystyle", "scriptlevel"];
const ROWS = ["math", "mrow", "mtd", "mstyle", "mphantom", "TeXAtom", "inferredMrow"];

const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const em = (eighteenths) => (eighteenths ? `${(eighteenths / 18).toFixed(3)}em` : "0");

/* The operator that makes what it stands in one: with accents or limits, or alone in its braces. */
function operator(node) {
  if (node.isKind("mo")) return node;
  if (/^m(sub|sup|subsup|under|over|underover)$/.test(node.kind)) return operator(node.childNodes[0]);
  return ROWS.includes(node.kind) && node.childNodes.length === 1 ? operator(node.childNodes[0]) : null;
}

function letters(text, variant) {
  const [capital, small] = ALPHABETS[variant] || [];
  if (!capital) return text;
  return text.replace(/[A-Za-z]/g, (letter) => {
    const start = letter < "a" ? capital - 65 : small - 97;
    const moved = String.fromCodePoint(start + letter.codePointAt());
    return ELSEWHERE[moved] || moved;
  });
}

function element(name, attributes, content) {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${value}"`);
  return `<${name}${written.join("")}>${content}</${name}>`;
}

/* The children of a row, with the space between them. An operator alone is none, but for its own formula. */
function row(nodes, spaces, whole = false) {
  nodes = nodes.flatMap((node) => (node.isKind("inferredMrow") ? node.childNodes : [node]));
  const before = nodes.map((node) => SPACE[node.texSpacing()] ?? 0);
  const operators = nodes.map(operator);
  const lone = nodes.length === 1 && !whole;
  const html = nodes.map((node, k) => {
    const own = operators[k];
    if (own && !spaces.has(own) && !lone) {
      const after = operators[k + 1] ? 0 : before[k + 1] ?? 0;
      const place = nodes.length > 1 && k === 0 ? "prefix" : "";
      spaces.set(own, [before[k], after, place]);
    }
    const alone = before[k] && !own && k && !operators[k - 1];
    return (alone ? element("mspace", { width: em(before[k]) }, "") : "") + serial(node, spaces);
  });
  return { html: html.join(""), single: html.length === 1 };
}

function mo(node, text, attributes, spaces) {
  const [left, right, place] = spaces.get(node) ?? [];
  const listed = Object.keys(BROWSERS).find((characters) => text.length === 1 && characters.includes(text));
  const [usualLeft, usualRight] = place && "+−±".includes(text) ? [0, 0] : BROWSERS[listed] ?? [];
  if (place !== undefined && left !== usualLeft) attributes.lspace = em(left);
  if (place !== undefined && right !== usualRight) attributes.rspace = em(right);
  return element("mo", attributes, escape(text));
}

/* MathJax says how the columns of a table stand; the style sheet has the two ways that there are. */
function columns(node) {
  const aligned = node.attributes.get("columnalign") || "";
  if (aligned.startsWith("right")) return { class: "aligned" };
  return aligned.startsWith("left") ? { class: "cases" } : {};
}

function serial(node, spaces) {
  if (node.isKind("merror")) throw new Error(node.childNodes[0].childNodes[0].childNodes[0].getText());
  const attributes = {};
  for (const key of node.attributes.getExplicitNames()) {
    if (KEPT.includes(key)) attributes[key] = node.attributes.getExplicit(key);
  }
  if (node.isToken) {
    const variant = node.attributes.getExplicit("mathvariant");
    const text = letters(node.getText(), variant);
    if (node.getProperty("mathaccent")) return element("mo", attributes, ACCENTS[text] || text);
    if (node.isKind("mo")) return mo(node, text, attributes, spaces);
    if (node.isKind("mi") && variant === "normal" && [...text].length === 1) attributes.mathvariant = "normal";
    return element(node.kind, attributes, escape(text));
  }
  if (ROWS.includes(node.kind)) {
    const { html, single } = row(node.childNodes, spaces);
    if (node.isKind("inferredMrow")) return html;
    if (node.isKind("TeXAtom") || node.isKind("mrow")) return single ? html : element("mrow", {}, html);
    return element(node.kind, attributes, html);
  }
  if (node.isKind("mtable")) Object.assign(attributes, columns(node));
  if (node.childNodes.some((child) => child.getProperty?.("mathaccent"))) attributes.accent = "true";
  const inside = node.childNodes.filter(Boolean).map((child) => {
    const { html, single } = row([child], spaces);
    const sized = html.startsWith("<mo") && html.includes("minsize"); // it stretches in a row
    return single && !sized ? html : element("mrow", {}, html);
  });
  return element(node.kind, attributes, inside.join(""));
}

/* QuickJS hands strings over only when they are in one piece, so as JSON. */
globalThis.convert = (tex, display) => {
  try {
    const math = parser.convert(tex, { display, end: STATE.CONVERT });
    math.setTeXclass(null);
    const { html } = row(math.childNodes, new Map(), true);
    return JSON.stringify({ html });
  } catch (error) {
    return JSON.stringify({ error: error.message });
  }
};
