/* The lambda explorer: what a weight, a threshold and a prior do to two normal classes.
 *
 * On the standardised axis the classes are N(d/2, 1) and N(-d/2, 1), r = d x is the log-likelihood
 * ratio and alpha = lambda / ((1 - lambda) IR). The formulas are those of crcen/theory/laws.py, and
 * a test compares the numbers. Where this script does not run, the page keeps its static figure. */

(() => {
  "use strict";

  const { expit, logit } = Logistic;
  const { density, below, between, quantile, mean } = normal;

  const root = document.querySelector(".explorer");
  const figure = document.querySelector("figure#fig-explorer");
  const image = figure && figure.querySelector("img");
  if (!root || !image) return;

  // State: what the reader sets, and what follows from it

  const N1 = Number(root.dataset.minority);
  const SETS = JSON.parse(root.dataset.sets);
  const LIMITS = {
    lam: [0.001, 0.99999], t: [0.00001, 0.999], ir: [1, 1000], d: [0.5, 5], from: [0.001, 0.99999],
  };
  const CHOICES = { bells: ["each", "counted", "weighted"], moves: ["lam", "t"] };
  const NAMES = { lam: "λ", t: "The threshold", ir: "IR", d: "d", from: "The start of the step" };
  const state = { bells: "each", moves: "lam", lock: false };
  let note = ""; // what could not be done as asked

  const odds = (p) => p / (1 - p);
  const share = (o) => o / (1 + o);

  /* Set a number; say so where it has to be brought within its limits. */
  function set(key, value) {
    const [low, high] = LIMITS[key];
    state[key] = Math.min(high, Math.max(low, value));
    if (Math.abs(state[key] - value) > 1e-9 * value) {
      note = `${NAMES[key]} goes from ${low} to ${high} here, and ${plain(value, 3)} was asked for.`;
    }
  }

  const alpha = () => odds(state.lam) / state.ir;
  const price = () => odds(state.lam) / odds(state.t); // alarms at the boundary for one more find
  const boundary = () => Math.log(state.ir / price()) / state.d;

  /* Move the boundary, by the weight or by the threshold. */
  function setPrice(e) {
    if (state.moves === "lam") set("lam", share(e * odds(state.t)));
    else set("t", share(odds(state.lam) / e));
  }
  const setBoundary = (x) => setPrice(state.ir * Math.exp(-state.d * x));
  const setRecall = (recall) => setBoundary(state.d / 2 - quantile(recall));

  /* Set the weight or the threshold; locked, the other follows and the boundary stays. */
  function setHalf(key, value) {
    const e = price();
    set(key, value);
    if (state.lock && key === "lam") set("t", share(odds(state.lam) / e));
    if (state.lock && key === "t") set("lam", share(odds(state.t) * e));
  }

  function preset(lam, t) {
    set("lam", lam);
    set("t", t);
  }

  function read(address) {
    const given = new URLSearchParams(address);
    for (const key in LIMITS) {
      const value = parseFloat(given.get(key));
      if (!Number.isNaN(value)) set(key, value);
    }
    for (const key in CHOICES) {
      if (CHOICES[key].includes(given.get(key))) state[key] = given.get(key);
    }
    if (given.has("lock")) state.lock = given.get("lock") === "1";
  }

  function write() {
    const numbers = Object.keys(LIMITS).map((key) => `${key}=${Number(state[key].toPrecision(8))}`);
    const choices = Object.keys(CHOICES).map((key) => `${key}=${state[key]}`);
    const all = [...numbers, ...choices, `lock=${Number(state.lock)}`];
    history.replaceState(null, "", "#" + all.join("&"));
  }

  // Numbers as text

  /* Without an exponent, which no column has room for. */
  const plain = (value, maximumSignificantDigits) =>
    value.toLocaleString("en", { maximumSignificantDigits, useGrouping: false });
  const four = (value) => (Number.isNaN(value) ? "–" : value.toFixed(4)); // a share of none
  const significant = (value) =>
    Number.isNaN(value) ? "–" : value >= 1000 || value < 1e-3 ? plain(value, 4) : value.toPrecision(4);
  const rows = (value) => (value >= 1000 ? value.toFixed(0) : value.toFixed(1));
  /* A probability with three digits of what is left to 0 or 1. */
  const fine = (p) => p.toFixed(Math.max(3, Math.ceil(2 - Math.log10(Math.min(p, 1 - p)))));
  const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

  // Elements

  const SVG = "svg g path line circle text clipPath rect".split(" ");

  function element(name, attributes = {}, ...children) {
    const made = SVG.includes(name)
      ? document.createElementNS("http://www.w3.org/2000/svg", name)
      : document.createElement(name);
    change(made, attributes);
    made.append(...children);
    return made;
  }

  function change(made, attributes) {
    for (const key in attributes) made.setAttribute(key, attributes[key]);
  }

  /* Only what has changed is laid out anew. The text node stays: where one comes or goes, a browser looks through
     the page for what a rule with :has may apply to now, which takes longer than all else of a redraw. */
  function say(made, text) {
    const [node] = made.childNodes;
    if (!node) made.append(text);
    else if (node.data !== text) node.data = text;
  }

  const i = (text, below = "") => {
    const made = element("i", {}, text);
    if (below) made.append(element("sub", {}, below));
    return made;
  };

  // Controls: sliders with a field to type in, wishes, choices, presets

  /* How a slider maps its position to the state and back; what its field shows and takes. */
  const SLIDERS = {
    lam: {
      label: ["Weight ", i("λ")], range: [-3, 5, 0.01], say: () => fine(state.lam),
      get: () => Math.log10(odds(state.lam)), slide: (x) => share(10 ** x),
      take: (value) => setHalf("lam", value),
    },
    t: {
      label: ["Threshold ", i("t")], range: [-5, 3, 0.01], say: () => fine(state.t),
      get: () => Math.log10(odds(state.t)), slide: (x) => share(10 ** x),
      take: (value) => setHalf("t", value),
    },
    ir: {
      label: ["Imbalance IR"], range: [0, 3, 0.01], say: () => plain(state.ir, 4),
      get: () => Math.log10(state.ir), slide: (x) => Number((10 ** x).toPrecision(3)),
      take: (value) => set("ir", value),
    },
    d: {
      label: ["Distance ", i("d")], range: [0.5, 5, 0.1], say: () => plain(state.d, 3),
      get: () => state.d, slide: (x) => x, take: (value) => set("d", value),
    },
  };

  /* A wish: a field that shows what is, and takes what you want. */
  const WISHES = {
    recall: {
      label: "recall", say: () => four(below(state.d / 2 - boundary())),
      most: 1, take: setRecall,
    },
    price: {
      label: "alarms for one more find", say: () => plain(price(), 4),
      most: Infinity, take: setPrice,
    },
    share: {
      label: "minority, %", say: () => plain(100 / (1 + state.ir), 3),
      most: 100, take: (value) => set("ir", 100 / value - 1),
    },
  };

  const SELECTS = {
    bells: ["Bells", { each: "of one size", counted: "as counted", weighted: "as weighted" }],
    moves: ["Wishes and drags move", { lam: "the weight", t: "the threshold" }],
  };

  const BUTTONS = [
    ["Plain", () => preset(0.5, 0.5)],
    ["Balanced, α = 1", () => preset(share(state.ir), 0.5)],
    ["Plain, cut at 1 − λ", () => preset(0.5, share(1 / state.ir))],
    ["Start the step here", () => set("from", share(price()))],
  ];

  const sliders = {}, fields = {}, selects = {}, values = {};
  const lock = element("input", { type: "checkbox" });

  function field(key, { say, take, most = Infinity }, name) {
    const made = element("input", {
      type: "text", inputmode: "decimal", autocomplete: "off", "aria-label": name, "data-field": key,
    });
    const given = () => parseFloat(made.value.replace(",", "."));
    const possible = () => given() > 0 && given() < most;
    made.addEventListener("input", () => possible() && act(() => take(given())));
    made.addEventListener("change", () => {
      note = "";
      if (possible()) take(given()); // once more: what is told while one types is in the way
      else note = `${name}: a number above 0${most < Infinity ? ` and below ${most}` : ""}, please.`;
      made.value = say();
      settle();
    });
    return (fields[key] = made);
  }

  function controls() {
    const grid = element("div", { class: "explorer-controls" });
    for (const key in SLIDERS) {
      const { label, range, slide, take } = SLIDERS[key];
      const [min, max, step] = range;
      const made = element("input", { type: "range", id: `explorer-${key}`, min, max, step });
      made.addEventListener("input", () => act(() => take(slide(Number(made.value)))));
      made.addEventListener("change", settle);
      sliders[key] = made;
      const name = element("label", { for: made.id }, ...label);
      grid.append(
        element("div", {}, name, made, field(key, SLIDERS[key], `${name.textContent}, typed`)),
      );
    }
    const wishes = element("div", { class: "explorer-line" }, "You want");
    for (const key in WISHES) {
      const name = WISHES[key].label;
      wishes.append(element("label", {}, field(key, WISHES[key], name), name));
    }
    const choices = element("div", { class: "explorer-line" });
    const set = element("select", { "aria-label": "Data" }, element("option", { value: "" }, "your own"));
    for (const [k, { name, ir, d }] of SETS.entries()) {
      set.append(element("option", { value: k }, `${name} (IR ${ir}, d ${d})`));
    }
    set.addEventListener("change", () => {
      if (set.value) act(() => read(new URLSearchParams(SETS[set.value])));
      settle();
    });
    selects.set = set;
    if (SETS.length) choices.append(element("label", {}, "Data ", set));
    for (const key in SELECTS) {
      const [label, options] = SELECTS[key];
      const made = element("select", { "aria-label": label });
      for (const value in options) made.append(element("option", { value }, options[value]));
      made.addEventListener("change", () => {
        act(() => (state[key] = made.value));
        settle();
      });
      selects[key] = made;
      choices.append(element("label", {}, `${label} `, made));
    }
    lock.addEventListener("change", () => {
      act(() => (state.lock = lock.checked));
      settle();
    });
    choices.append(element("label", {}, lock, " lock the boundary"));
    const buttons = element("div", { class: "explorer-line" });
    for (const [text, press] of BUTTONS) {
      const button = element("button", { type: "button" }, text);
      button.addEventListener("click", () => {
        act(press);
        settle();
      });
      buttons.append(button);
    }
    return [grid, element("div", { class: "explorer-lines" }, wishes, buttons, choices)];
  }

  const READINGS = [
    ["alpha", "odds as weighted", [i("α"), " = ", i("λ"), " / (1 − ", i("λ"), ") IR"]],
    ["back", "shifted back, at the boundary", [i("p")]],
    ["p1bar", "mean of p, minority", [i("p̄", "1")]],
    ["p0bar", "mean of p, majority", [i("p̄", "0")]],
    ["raw", "mean of p, all rows", [i("p̄")]],
    ["prior", "the same shifted back", ["share"]],
    ["lhs", "Eq. 7, left", ["(1 − ", i("p̄", "1"), ") / ", i("p̄", "0")]],
    ["rhs", "Eq. 7, right", [i("N", "0"), "(1 − ", i("λ"), ") / ", i("N", "1"), i("λ")]],
    ["fn", "minority missed", ["FN"]],
    ["fp", "majority accused", ["FP"]],
    ["precision", "of those called rare", ["precision"]],
    ["specificity", "majority cleared", ["specificity"]],
    ["expense", "of the step", ["expense"]],
    ["band", "of prices", ["its band"]],
  ];

  function readings() {
    const list = element("dl", { class: "explorer-readings" });
    for (const [key, what, symbol] of READINGS) {
      values[key] = element("dd", { "data-value": key });
      const term = element("dt", {}, ...symbol, element("small", {}, what));
      list.append(element("div", {}, term, values[key]));
    }
    return list;
  }

  // Panels: SVG of 340 by 350 units. Left the bells, and below them p, on one axis; right the errors

  const [LEFT, RIGHT, TOP, BOTTOM] = [40, 326, 24, 320];
  const [GROUND, CEILING] = [190, 214]; // the bells stand on the first, p = 1 is the second
  const SPAN = 6; // drawn for |x| up to this
  const UNIT = (RIGHT - LEFT) / (2 * SPAN);
  const PEAK = (GROUND - TOP - 8) / density(0);
  const MIDDLE = (LEFT + RIGHT) / 2;
  const onX = (x) => MIDDLE + UNIT * Math.min(SPAN, Math.max(-SPAN, x));
  const onP = (p) => BOTTOM + (CEILING - BOTTOM) * p;

  const path = (points) => "M" + points.map(([x, y]) => `${x.toFixed(2)} ${y.toFixed(2)}`).join("L");
  const line = (name, at = {}) => element("line", { class: name, ...at });
  const across = (y) => ({ x1: LEFT, x2: RIGHT, y1: y, y2: y });
  const upright = (x, y1, y2) => ({ x1: x, x2: x, y1, y2 });

  function text(x, y, anchor, content, name = "") {
    return element("text", { x, y, "text-anchor": anchor, class: name }, content);
  }

  const clips = {};

  function clip(name, at) {
    clips[name] = element("rect", at);
    return element("clipPath", { id: `explorer-${name}` }, clips[name]);
  }

  const clipped = (name, ...marks) =>
    element("g", { "clip-path": `url(#explorer-${name})` }, ...marks);

  /* A handle: what can be dragged, and moved by the arrow keys. */
  function handle(name, ...marks) {
    return element(
      "g",
      { class: "handle", tabindex: 0, role: "slider", "aria-label": name,
        "aria-valuemin": -SPAN, "aria-valuemax": SPAN },
      ...marks,
    );
  }

  const GRID = Array.from({ length: 301 }, (_, k) => -SPAN + (2 * SPAN * k) / 300);
  const WIDE = Array.from({ length: 171 }, (_, k) => -8.5 + k / 10); // a bell, wherever it stands
  const bell = path(WIDE.map((z) => [z * UNIT, -density(z) * PEAK]));
  const curve = (name) => element("path", { class: `curve ${name}`, "vector-effect": "non-scaling-stroke" });
  const area = (name) => element("path", { class: `area ${name}`, d: `${bell}Z` });

  const drawn = {
    missed: area("minority"), accused: area("majority"),
    majority: curve("majority"), minority: curve("minority"), weighted: curve("minority dashed"),
    raw: curve("raw"), back: curve("dashed"), threshold: line("threshold"),
    t: text(RIGHT + 4, 0, "start", "t"),
    cut: line("boundary"), grip: element("circle", { r: 7, cy: (GROUND + CEILING) / 2 }),
    reach: element("rect", { class: "reach", y: TOP, width: 32, height: BOTTOM - TOP }),
    errors: curve("errors"), chord: line("chord"),
    start: element("circle", { class: "start", r: 5 }),
    now: element("circle", { class: "now", r: 6 }), near: element("circle", { class: "reach", r: 22 }),
  };
  for (const name of ["majority", "minority", "weighted"]) change(drawn[name], { d: bell });
  const handles = {
    boundary: handle("The boundary", drawn.reach, drawn.cut, drawn.grip),
    point: handle("The point on the curve of errors", drawn.near, drawn.now),
  };
  const ticks = { x: [], y: [] };

  function svg(...marks) {
    const named = { role: "group", "aria-label": "what can be moved" };
    return element("svg", { viewBox: "0 0 340 350", ...named }, ...marks);
  }

  function bells() {
    const box = { x: LEFT, y: TOP, width: RIGHT - LEFT, height: BOTTOM - TOP };
    const marks = [
      clip("box", box), clip("left", box), clip("right", box),
      clipped("left", drawn.missed), clipped("right", drawn.accused),
      clipped("box", drawn.majority, drawn.minority, drawn.weighted),
      text(LEFT, 14, "start", "majority", "majority"), text(RIGHT, 14, "end", "minority", "minority"),
      line("axis", across(GROUND)), line("grid", across(CEILING)), line("axis", across(BOTTOM)),
      clipped("box", drawn.back, drawn.raw), drawn.threshold, drawn.t,
      text(LEFT - 5, CEILING + 4, "end", "1"), text(LEFT - 5, BOTTOM + 4, "end", "0"),
      text(LEFT - 5, onP(0.5) + 4, "end", "p"), text(MIDDLE, 348, "middle", "x"),
    ];
    for (const x of [-4, -2, 0, 2, 4]) {
      marks.push(text(onX(x), BOTTOM + 14, "middle", String(x).replace("-", "−")));
    }
    return svg(element("g", { "aria-hidden": "true" }, ...marks), handles.boundary);
  }

  function errors() {
    const marks = [
      text(LEFT, 14, "start", "FP, majority accused"), text(RIGHT, 348, "end", "FN, minority missed"),
    ];
    for (const part of [0, 0.5, 1]) {
      const [x, y] = [LEFT + (RIGHT - LEFT) * part, BOTTOM + (TOP - BOTTOM) * part];
      ticks.x.push(text(x, BOTTOM + 14, "middle", ""));
      ticks.y.push(text(LEFT - 4, y + 4, "end", ""));
      marks.push(line(part ? "grid" : "axis", across(y)), ticks.x.at(-1), ticks.y.at(-1));
    }
    marks.push(clipped("box", drawn.errors, drawn.chord), drawn.start);
    return svg(element("g", { "aria-hidden": "true" }, ...marks), handles.point);
  }

  /* The errors are drawn up to a round share that holds both points with room to spare. */
  let scale = [1, 1], held = false, traced = "";
  const ROUND = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];
  const round = (share) => ROUND.find((limit) => limit > 1.2 * share) || 1;
  const rates = (x) => [below(x - state.d / 2), below(-x - state.d / 2)]; // FN and FP as shares
  const onErrors = ([fn, fp]) => [
    LEFT + ((RIGHT - LEFT) * fn) / scale[0],
    BOTTOM + ((TOP - BOTTOM) * fp) / scale[1],
  ];

  function drawErrors(now, start) {
    if (!held) scale = [0, 1].map((k) => round(Math.max(now[k], start[k])));
    if (traced !== (traced = `${state.d} ${scale}`)) {
      change(drawn.errors, { d: path(GRID.map((x) => onErrors(rates(x)))) });
    }
    [0, 0.5, 1].forEach((part, k) => {
      say(ticks.x[k], compact.format(part * scale[0] * N1));
      say(ticks.y[k], compact.format(part * scale[1] * N1 * state.ir));
    });
    const [[x, y], [u, v]] = [onErrors(now), onErrors(start)];
    change(drawn.chord, { x1: u, y1: v, x2: x, y2: y });
    change(drawn.start, { cx: u, cy: v });
    for (const mark of [drawn.now, drawn.near]) change(mark, { cx: x, cy: y });
  }

  function drawBells(x) {
    const { d, ir, bells, t } = state;
    const ratio = bells === "each" ? 1 : bells === "counted" ? 1 / ir : alpha();
    const [tall1, tall0] = [Math.min(1, ratio), Math.min(1, 1 / ratio)];
    const put = (mark, centre, tall) =>
      change(mark, { transform: `translate(${MIDDLE + UNIT * centre} ${GROUND}) scale(1 ${tall})` });
    for (const mark of [drawn.minority, drawn.missed]) put(mark, d / 2, tall1);
    for (const mark of [drawn.majority, drawn.accused]) put(mark, -d / 2, tall0);
    put(drawn.weighted, d / 2, alpha() * tall0); // crosses the majority where p = 1/2
    drawn.weighted.style.display = bells === "each" ? "" : "none";
    const at = onX(x);
    change(clips.left, { width: at - LEFT });
    change(clips.right, { x: at, width: RIGHT - at });
    const probability = (shift) => path(GRID.filter((_, k) => k % 4 === 0)
      .map((z) => [onX(z), onP(expit(d * z + shift))]));
    change(drawn.raw, { d: probability(Math.log(alpha())) });
    change(drawn.back, { d: probability(-Math.log(ir)) });
    change(drawn.threshold, across(onP(t)));
    change(drawn.t, { y: onP(t) + 4 });
    change(drawn.cut, upright(at, TOP, BOTTOM));
    change(drawn.grip, { cx: at });
    change(drawn.reach, { x: at - 16 });
  }

  // Drawing

  const KEY = { raw: "p as trained", back: "shifted back", cut: "threshold" };
  const key = element("p", { class: "explorer-key", "aria-hidden": "true" });
  for (const name in KEY) key.append(element("span", { class: name }, KEY[name]));
  const description = element("p", { class: "visually-hidden" }, image.alt);
  const [grid, lines] = controls();
  const panels = element(
    "div", { class: "explorer explorer-panels" },
    element("div", {}, bells(), key), lines, element("div", {}, errors()),
  );
  const status = element("p", { class: "visually-hidden", role: "status" });
  const told = element("p", { class: "explorer-note", role: "alert" });
  let summary = "";

  function show() {
    const { lam, t, ir, d, from } = state;
    const [x, shift] = [boundary(), Math.log(alpha())];
    const start = Math.log(ir / odds(from)) / d; // the boundary where the step starts
    const [now, then] = [rates(x), rates(start)];
    const missed1 = mean(-(d * d) / 2 - shift, -d), p0bar = mean(-(d * d) / 2 + shift, d);
    const [left, right] = [Math.min(x, start), Math.max(x, start)];
    const gained = between(left - d / 2, right - d / 2), accused = between(left + d / 2, right + d / 2);
    const [low, high] = [price(), odds(from)].sort((a, b) => a - b);
    const shown = {
      alpha: plain(alpha(), 4),
      back: fine(1 / (1 + price())),
      p1bar: four(1 - missed1),
      p0bar: four(p0bar),
      raw: four((1 - missed1 + ir * p0bar) / (1 + ir)),
      prior: four(1 / (1 + ir)),
      lhs: significant(missed1 / p0bar),
      rhs: significant(1 / alpha()),
      fn: `${rows(N1 * now[0])} of ${N1}`,
      fp: `${rows(N1 * ir * now[1])} of ${Math.round(N1 * ir)}`,
      precision: four((1 - now[0]) / (1 - now[0] + ir * now[1])),
      specificity: four(1 - now[1]),
      expense: high > low * (1 + 1e-9) ? significant((ir * accused) / gained) : "no step",
      band: `${significant(low)} to ${significant(high)}`,
    };
    for (const key in shown) say(values[key], shown[key]);
    for (const key in sliders) {
      sliders[key].value = SLIDERS[key].get();
      sliders[key].setAttribute("aria-valuetext", SLIDERS[key].say());
    }
    for (const key in fields) {
      if (fields[key] !== document.activeElement) fields[key].value = (SLIDERS[key] || WISHES[key]).say();
    }
    for (const key in SELECTS) selects[key].value = state[key];
    selects.set.value = SETS.findIndex((set) => set.ir === ir && set.d === d);
    if (selects.set.selectedIndex < 0) selects.set.value = "";
    lock.checked = state.lock;
    drawBells(x);
    drawErrors(now, then);
    for (const made of Object.values(handles)) {
      made.setAttribute("aria-valuenow", x.toFixed(2));
      made.setAttribute("aria-valuetext", `x = ${x.toFixed(2)}, recall ${four(1 - now[0])}`);
    }
    if (!note) say(told, "");
    summary =
      `At λ = ${fine(lam)} and threshold ${fine(t)} the model misses ${shown.fn} minority rows and ` +
      `accuses ${shown.fp} majority rows. The step from λ = ${fine(from)} has the expense ` +
      `${shown.expense}, in the band from ${shown.band}.`;
  }

  function act(change) {
    note = "";
    change();
    show();
  }

  /* Tell it once: what is, and what could not be done as asked. */
  function tell() {
    status.textContent = summary;
    say(told, note);
  }

  /* After a drag; the address keeps it. */
  function settle() {
    show();
    tell();
    write();
  }

  // Handles

  const KEYS = {
    ArrowRight: 0.05, ArrowUp: 0.05, ArrowLeft: -0.05, ArrowDown: -0.05, PageUp: 0.5, PageDown: -0.5,
  };

  function draggable(made, place) {
    made.addEventListener("keydown", (event) => {
      if (!(event.key in KEYS)) return;
      event.preventDefault();
      act(() => setBoundary(boundary() + KEYS[event.key]));
      settle();
    });
    made.addEventListener("pointerdown", (event) => {
      made.setPointerCapture(event.pointerId);
      made.focus({ preventScroll: true });
      event.preventDefault();
      held = true;
    });
    made.addEventListener("pointermove", (event) => {
      if (!made.hasPointerCapture(event.pointerId)) return;
      const seen = made.ownerSVGElement.getScreenCTM().inverse();
      act(() => setBoundary(place(new DOMPoint(event.clientX, event.clientY).matrixTransform(seen))));
    });
    made.addEventListener("lostpointercapture", () => {
      held = false;
      settle();
    });
  }

  draggable(handles.boundary, ({ x }) => Math.min(SPAN, Math.max(-SPAN, (x - MIDDLE) / UNIT)));
  draggable(handles.point, (at) => {
    const away = GRID.map((x) => {
      const [u, v] = onErrors(rates(x));
      return Math.hypot(u - at.x, v - at.y);
    });
    return GRID[away.indexOf(Math.min(...away))];
  });

  // Start

  for (const name in LIMITS) set(name, Number(root.dataset[name]));
  read(location.hash.slice(1));
  root.append(grid, told, status);
  image.replaceWith(panels);
  panels.before(description);
  panels.after(readings());
  // Above all that explains it, so that the controls are seen at once
  document.querySelector(".bd-article h1 ~ p").after(root, figure);
  show();
  tell();
  window.addEventListener("hashchange", () => {
    act(() => read(location.hash.slice(1)));
    tell();
  });

  const skip = element("a", { href: "#explorer-lam" }, "Skip to the explorer");
  skip.addEventListener("click", (event) => {
    event.preventDefault();
    sliders.lam.focus();
  });
  document.querySelector("#pst-skip-link")?.append(skip);

  for (const button of document.querySelectorAll("button[data-explorer]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      act(() => read(button.dataset.explorer));
      settle();
      root.scrollIntoView();
    });
  }
})();
