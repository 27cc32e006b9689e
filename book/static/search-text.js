/* The search shows pieces of pages as they were before typesetting: write their mathematics in words or leave it out. */

(() => {
  const letters = { alpha: "α", beta: "β", lambda: "λ", rho: "ρ", sigma: "σ", mathrm: "", text: "" };
  const whole = Search.htmlToText;

  function plain(tex) {
    const known = tex.replace(/\\([a-z]+)/g, (macro, name) => letters[name] ?? macro);
    return known.includes("\\") ? "…" : known.replace(/[{}$]/g, "");
  }

  Search.htmlToText = (html, anchor) =>
    whole(html, anchor).replace(/\\\(([^]*?)\\\)|\\\[[^]*?\\\]/g, (_, inline) => plain(inline ?? "\\"));
})();
