/* The front page's figure: one price, and the weight and the threshold that give it one boundary.
 *
 * Where this script does not run, the page keeps the static figure. */

(() => {
  "use strict";

  const { density, below } = normal;
  const { ir, d } = document.querySelector(".same-boundary").dataset;
  const image = document.querySelector("figure#fig-same-boundary-here img");
  const [IR, D] = [Number(ir), Number(d)];
  const [WIDTH, GROUND, TOP, SPAN] = [340, 128, 6, 5]; // units of a panel, and the largest |x|
  const onX = (x) => (WIDTH / 2) * (1 + Math.min(SPAN, Math.max(-SPAN, x)) / SPAN);
  const count = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

  function bell(centre, height, from = -SPAN, to = SPAN) {
    const points = Array.from({ length: 81 }, (_, k) => from + ((to - from) * k) / 80);
    const onY = (x) => GROUND - ((GROUND - TOP) * height * density(x - centre)) / density(0);
    return "M" + points.map((x) => `${onX(x).toFixed(1)} ${onY(x).toFixed(1)}`).join("L");
  }

  /* Both panels and what they do, at a price: a missed rare row costs so many false alarms. */
  function drawing(price) {
    const cut = Math.log(IR / price) / D;
    const at = Math.min(SPAN, Math.max(-SPAN, cut));
    const panel = (title, ratio) => {
      const [rare, common] = [Math.min(1, ratio), Math.min(1, 1 / ratio)];
      const under = (path, a, b) => `${path}L${onX(b)} ${GROUND}L${onX(a)} ${GROUND}Z`;
      return `<div><p>${title}</p><svg viewBox="0 0 ${WIDTH} 132" aria-hidden="true">
        <path class="area minority" d="${under(bell(D / 2, rare, -SPAN, at), -SPAN, at)}"/>
        <path class="area majority" d="${under(bell(-D / 2, common, at, SPAN), at, SPAN)}"/>
        <path class="curve majority" d="${bell(-D / 2, common)}"/>
        <path class="curve minority" d="${bell(D / 2, rare)}"/>
        <line class="axis" x1="0" x2="${WIDTH}" y1="${GROUND}" y2="${GROUND}"/>
        <line class="boundary" x1="${onX(cut)}" x2="${onX(cut)}" y1="0" y2="${GROUND}"/>
      </svg></div>`;
    };
    const [found, accused] = [below(D / 2 - cut), below(-D / 2 - cut)];
    const weight = (price / (1 + price)).toFixed(2), threshold = (1 / (1 + price)).toFixed(2);
    return {
      panels: panel(`Weight ${weight}, cut at 0.50`, price / IR) +
        panel(`No weight, cut at ${threshold}`, 1 / IR),
      result: `Both find ${count.format(100 * found)} of 100 <span class="minority">rare</span> rows ` +
        `and accuse ${count.format(100 * IR * accused)} of ${count.format(100 * IR)} ` +
        `<span class="majority">common</span> ones.`,
    };
  }

  const live = document.createElement("div");
  live.innerHTML = `<label>A missed rare row costs as much as <output>${ir}</output> false alarms
    <input type="range" min="0" max="2" step="0.02" value="${Math.log10(IR)}"></label>
    <div class="explorer-panels"></div><p class="result" role="status"></p>`;
  live.className = "boundary-live";
  const [input, output, panels, result] =
    ["input", "output", ".explorer-panels", ".result"].map((what) => live.querySelector(what));

  function draw() {
    const price = 10 ** Number(input.value);
    const drawn = drawing(price);
    output.textContent = price.toPrecision(price < 100 ? 2 : 3);
    input.setAttribute("aria-valuetext", `${output.textContent} false alarms`);
    panels.innerHTML = drawn.panels;
    result.innerHTML = drawn.result;
  }

  input.addEventListener("input", draw);
  image.replaceWith(live);
  draw();
})();
