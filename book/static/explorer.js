/* The lambda explorer: what a weight does to two normal classes, by closed forms.
 *
 * On the standardised axis the classes are N(d/2, 1) and N(-d/2, 1), r = d x is the log-likelihood
 * ratio and alpha = lambda / ((1 - lambda) IR). The formulas are those of crcen/laws.py, and a test
 * compares the numbers. Where this script does not run, the page keeps its static figure. */

(() => {
  "use strict";

  // Formulas

  const normal = (z) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  const expit = (o) => 1 / (1 + Math.exp(-o));

  /* Simpson's rule. In the tails it keeps the digits that a difference of two Phi would lose. */
  function integral(f, from, to, n = 1000) {
    const h = (to - from) / n;
    let sum = f(from) + f(to);
    for (let k = 1; k < n; k++) sum += (k % 2 ? 4 : 2) * f(from + k * h);
    return (sum * h) / 3;
  }

  const TAIL = 12; // normal(z) beyond is 0 to double precision of the sums
  const Phi = (z) => (z < -TAIL ? 0 : z > TAIL ? 1 : integral(normal, -TAIL, z));

  /* p1bar, p0bar, the two shares of errors, and the boundary, for one alpha. */
  function point(d, alpha) {
    const t = Math.log(alpha);
    const mean = (f) => integral((z) => f(z) * normal(z), -TAIL - d, TAIL + d);
    return {
      boundary: -t / d,
      missed1: mean((z) => expit(-(d * d) / 2 - d * z - t)), // 1 - p1bar
      p0bar: mean((z) => expit(-(d * d) / 2 + d * z + t)),
      fn: Phi(-d / 2 - t / d), // 1 - recall
      fp: Phi(-d / 2 + t / d), // 1 - specificity
    };
  }

  /* Shares of the minority gained and of the majority accused in a step from alpha a to b > a. */
  function step(d, a, b) {
    const [s, t] = [Math.log(a) / d, Math.log(b) / d];
    return {
      gained: integral(normal, d / 2 + s, d / 2 + t),
      accused: integral(normal, d / 2 - t, d / 2 - s),
    };
  }

  // State: the reader's lambda, IR and d, and the lambda where the step starts

  const LIMITS = { lam: [0.001, 0.999], ir: [1, 1000], d: [0.5, 5], from: [0.001, 0.999] };
  const clamp = (value, [low, high]) => Math.min(high, Math.max(low, value));

  const root = document.querySelector(".explorer");
  const figure = document.querySelector("figure#fig-explorer");
  const image = figure && figure.querySelector("img");
  if (!root || !image) return;

  const N1 = Number(root.dataset.minority);
  const state = {};
  for (const key in LIMITS) state[key] = clamp(Number(root.dataset[key]), LIMITS[key]);

  const oddsOf = (lam) => lam / (1 - lam);
  const alphaOf = (lam) => oddsOf(lam) / state.ir;
  const lamOf = (alpha) => clamp((alpha * state.ir) / (alpha * state.ir + 1), LIMITS.lam);

  function readHash() {
    const given = new URLSearchParams(location.hash.slice(1));
    for (const key in LIMITS) {
      const value = parseFloat(given.get(key));
      if (!Number.isNaN(value)) state[key] = clamp(value, LIMITS[key]);
    }
  }

  function writeHash() {
    const digits = (key) => `${key}=${Number(state[key].toPrecision(6))}`;
    history.replaceState(null, "", "#" + Object.keys(LIMITS).map(digits).join("&"));
  }

  // Numbers as text

  const share = (value) => value.toFixed(4);
  const significant = (value) => (value >= 1000 ? value.toFixed(0) : value.toPrecision(4));
  const rows = (value) => (value >= 1000 ? value.toFixed(0) : value.toFixed(1));

  const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

  // Elements

  function element(name, attributes = {}, ...children) {
    const svg = "svg g path line circle text clipPath rect".split(" ").includes(name);
    const made = svg
      ? document.createElementNS("http://www.w3.org/2000/svg", name)
      : document.createElement(name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    made.append(...children);
    return made;
  }

  const i = (text, below = "") => {
    const made = element("i", {}, text);
    if (below) made.append(element("sub", {}, below));
    return made;
  };

  /* A slider: how it maps a position to the state and back, and what it says. */
  const SLIDERS = [
    {
      id: "lam", label: ["Weight ", i("λ")], min: 0.001, max: 0.999, step: 0.001,
      get: () => state.lam, set: (x) => (state.lam = x), say: () => state.lam.toFixed(3),
    },
    {
      id: "alpha", label: ["Multiplier ", i("α")], min: -3, max: 2, step: 0.01,
      get: () => Math.log10(alphaOf(state.lam)), set: (x) => (state.lam = lamOf(10 ** x)),
      say: () => alphaOf(state.lam).toPrecision(3),
    },
    {
      id: "ir", label: ["Imbalance IR"], min: 0, max: 3, step: 0.01,
      get: () => Math.log10(state.ir), set: (x) => (state.ir = Number((10 ** x).toPrecision(3))),
      say: () => state.ir.toPrecision(3),
    },
    {
      id: "d", label: ["Distance ", i("d")], min: 0.5, max: 5, step: 0.1,
      get: () => state.d, set: (x) => (state.d = x), say: () => state.d.toFixed(1),
    },
  ];

  /* A button: the lambda it sets, or the start of the step. */
  const BUTTONS = [
    ["Plain, λ = 1/2", () => (state.lam = 0.5)],
    ["Balanced, α = 1", () => (state.lam = lamOf(1))],
    ["α = 2", () => (state.lam = lamOf(2))],
    ["Start the step here", () => (state.from = state.lam)],
  ];

  const READINGS = [
    ["p1bar", "mean of p, minority", [i("p̄", "1")]],
    ["p0bar", "mean of p, majority", [i("p̄", "0")]],
    ["lhs", "Eq. 7, left", ["(1 − ", i("p̄", "1"), ") / ", i("p̄", "0")]],
    ["rhs", "Eq. 7, right", [i("N", "0"), "(1 − ", i("λ"), ") / ", i("N", "1"), i("λ")]],
    ["recall", "minority found", ["recall"]],
    ["specificity", "majority cleared", ["specificity"]],
    ["fn", "minority missed", ["FN"]],
    ["fp", "majority accused", ["FP"]],
    ["expense", "of the step", ["expense"]],
    ["band", "of α IR", ["its band"]],
  ];

  const inputs = {}, says = {}, values = {};

  function controls() {
    const made = element("div", { class: "explorer-controls" });
    for (const { id, label, min, max, step, set } of SLIDERS) {
      inputs[id] = element("input", { type: "range", id: `explorer-${id}`, min, max, step });
      says[id] = element("span", { class: "explorer-value", "aria-hidden": "true" });
      made.append(element("label", { for: `explorer-${id}` }, ...label), inputs[id], says[id]);
      inputs[id].addEventListener("input", () => {
        set(Number(inputs[id].value));
        draw();
      });
      inputs[id].addEventListener("change", settle);
    }
    const buttons = element("div", { class: "explorer-buttons" });
    for (const [text, act] of BUTTONS) {
      const button = element("button", { type: "button" }, text);
      button.addEventListener("click", () => {
        act();
        draw();
        settle();
      });
      buttons.append(button);
    }
    return [made, buttons];
  }

  function readings() {
    const list = element("dl", { class: "explorer-readings" });
    for (const [key, what, symbol] of READINGS) {
      values[key] = element("dd", { "data-value": key });
      const term = element("dt", {}, ...symbol, element("small", {}, what));
      list.append(element("div", {}, term, values[key]));
    }
    return list;
  }

  // Panels: SVG of 340 by 250 units, the axes from (LEFT, TOP) to (RIGHT, BOTTOM)

  const [LEFT, RIGHT, TOP, BOTTOM] = [46, 322, 22, 206];
  const SPAN = 6; // the densities are drawn for |x| up to this
  const place = (low, high, start, end) => (v) => start + ((v - low) / (high - low)) * (end - start);
  const densityX = place(-SPAN, SPAN, LEFT, RIGHT);
  const densityY = place(0, 0.46, BOTTOM, TOP);
  const rateX = place(0, 1, LEFT, RIGHT);
  const rateY = place(0, 1, BOTTOM, TOP);

  const grid = (from, to, n = 160) =>
    Array.from({ length: n + 1 }, (_, k) => from + ((to - from) * k) / n);
  const path = (points) =>
    "M" + points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");

  function text(x, y, anchor, content, more = "") {
    return element("text", { x, y, "text-anchor": anchor, class: more }, content);
  }

  function line(x1, y1, x2, y2, name) {
    return element("line", { x1, y1, x2, y2, class: name });
  }

  function panel(title, xLabel, ...marks) {
    const svg = element("svg", { viewBox: "0 0 340 250", "aria-hidden": "true" });
    svg.append(
      text(LEFT, 13, "start", title, "strong"),
      ...marks,
      line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis"),
      text((LEFT + RIGHT) / 2, 243, "middle", xLabel),
    );
    return svg;
  }

  const box = { x: LEFT, y: TOP, width: RIGHT - LEFT, height: BOTTOM - TOP };
  const clip = element("clipPath", { id: "explorer-clip" }, element("rect", box));
  const clipped = (name, d) =>
    element("path", { d, class: name, "clip-path": "url(#explorer-clip)" });

  function densities(at) {
    const { d } = state;
    const alpha = alphaOf(state.lam);
    const curve = (mean, times = 1) => (x) => [densityX(x), densityY(times * normal(x - mean))];
    const area = (mean, from, to) => {
      const [a, b] = [clamp(from, [-SPAN, SPAN]), clamp(to, [-SPAN, SPAN])];
      const ground = (x) => [densityX(x), BOTTOM];
      return path([ground(a), ...grid(a, b).map(curve(mean)), ground(b)]);
    };
    const all = grid(-SPAN, SPAN, 240);
    const marks = [
      clip,
      clipped("area minority", area(d / 2, -SPAN, at.boundary)),
      clipped("area majority", area(-d / 2, at.boundary, SPAN)),
      clipped("curve majority", path(all.map(curve(-d / 2)))),
      clipped("curve minority", path(all.map(curve(d / 2)))),
      clipped("curve minority dashed", path(all.map(curve(d / 2, alpha)))),
      text(densityX(-d / 2 - 0.2), densityY(0.41), "end", "majority", "majority"),
      text(densityX(d / 2 + 0.2), densityY(0.41), "start", "minority", "minority"),
    ];
    for (const x of [-4, -2, 0, 2, 4]) {
      marks.push(text(densityX(x), BOTTOM + 16, "middle", String(x).replace("-", "−")));
    }
    if (Math.abs(at.boundary) < SPAN) {
      const x = densityX(at.boundary);
      marks.push(line(x, TOP, x, BOTTOM, "boundary"));
    }
    return panel("Densities, and the boundary", "x", ...marks);
  }

  function errors(at, start) {
    const { d, ir } = state;
    const curve = grid(-d * (6 + d / 2), d * (6 + d / 2), 300).map((t) => [
      rateX(Phi(-d / 2 - t / d)),
      rateY(Phi(-d / 2 + t / d)),
    ]);
    const [x, y, u, v] = [rateX(at.fn), rateY(at.fp), rateX(start.fn), rateY(start.fp)];
    const marks = [];
    for (const part of [0, 0.5, 1]) {
      marks.push(
        line(LEFT, rateY(part), RIGHT, rateY(part), "grid"),
        text(LEFT - 5, rateY(part) + 4, "end", compact.format(part * ir * N1)),
        text(rateX(part), BOTTOM + 16, "middle", String(part * N1)),
      );
    }
    marks.push(
      element("path", { d: path(curve), class: "curve" }),
      line(u, v, x, y, "chord"),
      element("circle", { cx: u, cy: v, r: 5, class: "start" }),
      element("circle", { cx: x, cy: y, r: 5, class: "now" }),
    );
    return panel("False positives against false negatives", "FN", ...marks);
  }

  // Drawing

  const panels = element("div", { class: "explorer-panels", role: "img" });
  const status = element("p", { class: "visually-hidden", role: "status" });
  let summary = "";

  function draw() {
    const { lam, ir, d, from } = state;
    const [at, start] = [point(d, alphaOf(lam)), point(d, alphaOf(from))];
    const [low, high] = [Math.min(lam, from), Math.max(lam, from)];
    const moved = step(d, alphaOf(low), alphaOf(high));
    const shown = {
      p1bar: share(1 - at.missed1),
      p0bar: share(at.p0bar),
      lhs: significant(at.missed1 / at.p0bar),
      rhs: significant(1 / alphaOf(lam)),
      recall: share(1 - at.fn),
      specificity: share(1 - at.fp),
      fn: `${rows(N1 * at.fn)} of ${N1}`,
      fp: `${rows(N1 * ir * at.fp)} of ${Math.round(N1 * ir)}`,
      expense: high > low ? significant((ir * moved.accused) / moved.gained) : "no step",
      band: `${significant(oddsOf(low))} to ${significant(oddsOf(high))}`,
    };
    for (const key in shown) values[key].textContent = shown[key];
    for (const { id, get, say } of SLIDERS) {
      inputs[id].value = get();
      inputs[id].setAttribute("aria-valuetext", say());
      says[id].textContent = say();
    }
    panels.replaceChildren(densities(at), errors(at, start));
    summary =
      `At λ = ${says.lam.textContent} (α = ${says.alpha.textContent}) the model misses ` +
      `${shown.fn} minority rows and accuses ${shown.fp} majority rows. The step from λ = ${from.toFixed(3)} has the expense ` +
      `${shown.expense}, in the band from ${shown.band}.`;
    panels.setAttribute("aria-label", `${image.alt} ${summary}`);
  }

  /* After a drag: tell it once, and keep it in the address. */
  function settle() {
    status.textContent = summary;
    writeHash();
  }

  readHash();
  root.append(...controls(), status);
  figure.before(root); // together, whatever stands between them in the notebook
  image.replaceWith(panels);
  panels.after(readings());
  draw();
  status.textContent = summary;
  window.addEventListener("hashchange", () => {
    readHash();
    draw();
    status.textContent = summary;
  });
})();
