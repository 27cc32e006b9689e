/* The desk: what a confusion table, or labels and scores, say, and what can be promised of them.
 *
 * This is the page: forms, sentences, tables and figures. The arithmetic is in desk-numbers.js,
 * desk-table.js and desk-scores.js. Nothing that a reader gives leaves the browser, and what a file
 * holds is shown as text. Where scripts do not run, the page keeps the commands that do the same. */

(() => {
  "use strict";

  const root = document.getElementById("desk");
  if (!root) return;
  const { version } = document.currentScript.dataset;
  const { expit, logit } = Logistic;
  const { interval, value, general } = DeskNumbers;

  // Elements

  function make(parent, attributes, children) {
    for (const key in attributes) parent.setAttribute(key, attributes[key]);
    parent.append(...children);
    return parent;
  }

  const html = (name, attributes = {}, ...children) =>
    make(document.createElement(name), attributes, children);
  const svg = (name, attributes = {}, ...children) =>
    make(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

  function button(text, act) {
    const made = html("button", { type: "button" }, text);
    made.addEventListener("click", act);
    return made;
  }

  const inputs = {};

  /* A labelled input or select, kept by its name. */
  function field(name, text, control, note = "") {
    inputs[name] = control;
    control.id = `desk-${name}`;
    const label = html("label", { for: control.id }, text);
    if (note) label.append(html("small", {}, note));
    return html("div", { class: "desk-field" }, label, control);
  }

  const number = (most) => html("input", { type: "number", step: "any", min: 0, ...(most && { max: most }) });

  function table(heads, rows) {
    const head = html("tr", {}, ...heads.map((text) => html("th", { scope: "col" }, text)));
    const body = rows.map(([first, ...rest]) =>
      html("tr", {}, html("th", { scope: "row" }, first), ...rest.map((text) => html("td", {}, text))),
    );
    return html("table", { class: "desk-table" }, html("thead", {}, head), html("tbody", {}, ...body));
  }

  const section = (title, ...children) => html("section", {}, html("h2", {}, title), ...children);
  const p = (...children) => html("p", {}, ...children);

  function download(name, text) {
    html("a", { href: "data:text/plain;charset=utf-8," + encodeURIComponent(text), download: name }).click();
  }

  /* A button that saves rows, which are objects alike, as CSV. */
  const csv = (name, rows) =>
    button("Data (CSV)", () =>
      download(name, [Object.keys(rows[0]), ...rows.map((row) => Object.values(row))].join("\n") + "\n"),
    );

  // Numbers as text

  const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const percent = (v) => (Number.isFinite(v) ? `${(100 * v).toFixed(1)}%` : "–");
  const plain = (v) => (Number.isFinite(v) ? general(v, 3) : v === Infinity ? "∞" : "–");
  const between = ([low, high], say) => `${say(low)} to ${say(high)}`;
  const counted = ([part, all]) => `${percent(part / all)} (${whole.format(part)} of ${whole.format(all)})`;
  const quote = (text) => `‘${text}’`;
  const either = (names) => names.join(" or ") || "none of the usual weights";

  // The form

  const WISHES = [
    ["recall", "Recall", "at least, from 0 to 1", 1],
    ["precision", "Precision", "at least, from 0 to 1", 1],
    ["cost_ratio", "Cost of a miss", "in false alarms"],
    ["expense", "Expense", "false alarms for the last row, at most"],
    ["capacity", "Capacity", "share of rows that are alarms, at most", 1],
    ["confidence", "Confidence", "in recall and precision; may be empty", 1],
  ];
  const COUNTS = { tp: "found, TP", fn: "missed, FN", fp: "accused, FP", tn: "left alone, TN" };

  const answer = html("p", { class: "desk-answer" });
  const warning = html("p", { class: "desk-warning" });
  const status = html("div", { class: "desk-status", role: "status" }, answer, warning);
  const read = html("p", { class: "desk-read" });
  const columns = html("div", { class: "desk-fields", hidden: "" });
  const results = html("div", { class: "desk-results" });

  function radio(id, text, checked) {
    inputs[id] = html("input", { type: "radio", name: "desk-have", id: `desk-${id}`, ...(checked && { checked: "" }) });
    inputs[id].addEventListener("change", update);
    return html("label", {}, inputs[id], text);
  }

  const scoresForm = html("fieldset", {}, html("legend", {}, "Labels and scores of rows that the model has not seen"));
  const wishForm = html("fieldset", {}, html("legend", {}, "What you wish for: one or several"));
  const countsForm = html("fieldset", {}, html("legend", {}, "The four counts"));
  const laterForm = html("fieldset", {}, html("legend", {}, "Later"));

  const NOTHING = "Give labels and scores, or four counts, and the answer stands here.";
  const state = { name: "", text: "" }; // and what was read of it: table, label, score, data

  function build() {
    const file = html("input", { type: "file", accept: ".csv,.tsv,.txt,text/csv" });
    const paste = html("textarea", { rows: 3, spellcheck: "false", placeholder: "outcome,score" });
    scoresForm.append(
      field("file", "A file, such as CSV, or drop it here", file, "it stays on this machine"),
      field("paste", "or paste rows", paste, "the names of the columns first"),
      read,
      columns,
    );
    columns.append(
      field("label", "Column of labels", html("select")),
      field("score", "Column of scores", html("select")),
      field("positive", "To be found", html("select")),
      field("kind", "The scores are", options(html("select"), ["probabilities", "logits"])),
    );
    wishForm.append(html("div", { class: "desk-fields" }));
    for (const [name, text, note, most] of WISHES) {
      wishForm.lastChild.append(field(name, text, number(most), note));
    }
    wishForm.lastChild.append(
      field("lam", "Trained with λ", html("input", { placeholder: "as audited" }), "a number, balanced, or empty"),
    );
    inputs.recall.value = 0.9;
    countsForm.append(html("div", { class: "desk-fields desk-counts" }));
    for (const name in COUNTS) {
      const made = field(name, (name === "tp" || name === "fn" ? "Minority " : "Majority ") + COUNTS[name], number());
      countsForm.lastChild.append(made);
    }
    laterForm.append(field("prevalence", "Share of the minority", number(1), "if it changes; may be empty"));

    file.addEventListener("change", () => file.files.length && take(file.files[0]));
    paste.addEventListener("input", () => open(paste.value, "scores.csv"));
    for (const name of ["label", "score"]) inputs[name].addEventListener("change", () => reread(name));
    for (const name of ["positive", "kind"]) inputs[name].addEventListener("change", () => reread());
    for (const name of [...WISHES.map(([wish]) => wish), "lam", "prevalence", ...Object.keys(COUNTS)]) {
      inputs[name].addEventListener("input", update);
    }
    root.addEventListener("dragover", (event) => event.preventDefault());
    root.addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
    });
    const have = html("div", { class: "desk-have", role: "radiogroup", "aria-label": "What you have" });
    have.append(
      radio("scores", "Labels and scores", true),
      radio("counts", "A confusion table"),
      button("Fill in an example", example),
    );
    root.replaceChildren(status, have, scoresForm, countsForm, wishForm, laterForm, results);
    update();
  }

  function options(select, names) {
    select.replaceChildren(...names.map((name) => html("option", { value: name }, name)));
    return select;
  }

  // From a file to rows

  async function take(file) {
    inputs.paste.value = "";
    try {
      open(DeskTable.decode(await file.arrayBuffer()), file.name);
    } catch (error) { // the browser may not read it, or not any more
      open("", file.name);
      answer.textContent = `The file ${quote(file.name)} cannot be read (${error.message}): choose it again.`;
    }
  }

  function open(text, name) {
    inputs.scores.checked = true;
    Object.assign(state, { name, text, table: null });
    reread("label", "score");
  }

  /* What was read of columns is void. */
  function reread(...which) {
    for (const name of [...which, "data"]) state[name] = null;
    update();
  }

  function readTable() {
    const table = DeskTable.read(state.text);
    const guess = DeskTable.guess(table);
    for (const column of ["label", "score"]) {
      options(inputs[column], table.names);
      inputs[column].value = guess[column];
    }
    return table;
  }

  function readLabels() {
    options(inputs.positive, []);
    const labels = DeskTable.kinds(state.table, inputs.label.value);
    options(inputs.positive, [...labels.counts.keys()].slice(0, 1000));
    inputs.positive.prepend(html("option", { value: "", selected: "" }, "the rarer label"));
    return labels;
  }

  function readScores() {
    const values = DeskTable.numbers(state.table, inputs.score.value);
    inputs.kind.value = DeskScores.kindOf(values);
    return values;
  }

  function readRows() {
    const { y, positive, rest } = DeskTable.labels(state.label, inputs.label.value, inputs.positive.value);
    const kind = inputs.kind.value;
    DeskScores.check(state.score, kind);
    const rows = DeskScores.classes(state.score, y);
    read.textContent =
      `${state.name}: ${whole.format(rows.one.length)} rows of ${quote(positive)}, ` +
      `${whole.format(rows.zero.length)} of ${quote(rest)}.`;
    const probabilities = kind === "logits" ? DeskScores.map(rows, expit) : rows;
    const audit = DeskScores.audit(probabilities);
    const [logits, area] = [DeskScores.asLogits(rows, kind), DeskScores.area(rows)];
    return { kind, rows, logits, positive, rest, probabilities, audit, area };
  }

  // From rows to sentences

  /* Say what there is to be said; an error is the answer, too. */
  function update() {
    const counts = inputs.counts.checked;
    scoresForm.hidden = wishForm.hidden = counts;
    countsForm.hidden = !counts;
    answer.classList.remove("error");
    warning.textContent = "";
    results.replaceChildren();
    try {
      if (counts) tellCounts();
      else tellTable();
    } catch (error) {
      answer.classList.add("error");
      answer.textContent = error.message;
    }
    columns.hidden = !state.table;
  }

  function tellTable() {
    if (!state.data) read.textContent = "";
    if (!state.text.trim()) {
      answer.textContent = NOTHING;
      return;
    }
    state.table ??= readTable();
    state.label ??= readLabels();
    state.score ??= readScores();
    state.data ??= readRows();
    tellScores();
  }

  function typed(name) {
    const input = inputs[name];
    if (input.validity.badInput) throw new Error(`${name} is no number: type one such as 0.9, or nothing.`);
    return input.value === "" ? undefined : Number(input.value);
  }

  function wished() {
    const given = WISHES.map(([name]) => [name, typed(name)]).filter(([, v]) => v !== undefined);
    return Object.fromEntries(given);
  }

  function prevalence() {
    const share = typed("prevalence");
    if (share !== undefined && !(share > 0 && share < 1)) {
      throw new Error(`prevalence=${share} must be strictly between 0 and 1.`);
    }
    return share;
  }

  /* The weight that the scores were made with. */
  function madeWith(audit) {
    const text = inputs.lam.value.trim();
    if (text) return text === "balanced" ? text : Number(text);
    if (audit.lam > 0 && audit.lam < 1) return audit.lam;
    throw new Error(
      "The rows of one class are all certain, so no weight is found: say with which λ the model was " +
        "trained, 0.5 if with none.",
    );
  }

  function tellScores() {
    const { kind, logits, positive, rest, audit, area } = state.data;
    const [low, high] = DeskScores.weightInterval(audit);
    if (area.low <= 0.5) {
      warning.textContent =
        `The scores rank a ${quote(positive)} above a ${quote(rest)} in ${percent(area.value)} of pairs, 95% interval ` +
        `${between([area.low, area.high], percent)}: no better than chance, so that what follows could be had from a coin.`;
    }
    const weight = section("The weight behind the scores", ...weightOf(audit, positive));
    results.append(weight); // it stays if a wish cannot be kept
    const wish = wished();
    const later = prevalence();
    if (!Object.keys(wish).length) {
      answer.textContent =
        `A weight of λ = ${plain(audit.lam)} is behind these scores (95% interval ${between([low, high], plain)}): ` +
        `${either(DeskScores.names(audit))}.`;
      return;
    }
    const lam = madeWith(audit);
    const slip = DeskScores.promise(logits, kind, wish, lam);
    const promised = DeskScores.promised(slip);
    const now = DeskScores.outlook(slip, slip.prevalence);
    answer.textContent =
      `Decide for ${quote(positive)} where ${inputs.score.value} is above ${general(slip.threshold, 10)}: ` +
      `${percent(value(slip.choice.recall))} of them are found here and at least ${percent(promised[0])} of later ones ` +
      `are promised, with ${whole.format(1000 * now.alarms)} alarms in 1,000 rows, of which ` +
      `${percent(now.precision)} are right.`;
    results.prepend(section("What is promised", ...promiseOf(slip, promised)));
    if (later !== undefined) weight.before(section("At another prevalence", outlookOf(slip, now, later)));
    results.append(section("Calibration, and every weight", figures(slip, lam)));
  }

  function promiseOf(slip, [recall, specificity, precision]) {
    const { choice } = slip;
    const line = (name, share, kept = "") => [
      name, counted(share), between(interval(share), percent), kept && `at least ${percent(kept)}`,
    ];
    const gained = interval(choice.gained).reverse().map((v) => (1 - v) / v);
    const expense = (1 - value(choice.gained)) / value(choice.gained);
    const odds = choice.lam / (1 - choice.lam);
    const save = button("Download the promise slip", async () => {
      try {
        download("promise.json", await written(slip));
      } catch (error) {
        warning.textContent = error.message;
      }
    });
    return [
      table(["", "here", "95% interval", "promised"], [
        line("recall", choice.recall, recall),
        line("specificity", choice.specificity, specificity),
        line("precision", DeskScores.precision(choice), precision),
        ["expense", choice.gained[1] ? plain(expense) : "–", choice.gained[1] ? between(gained, plain) : "–", ""],
      ]),
      p(
        `A training with λ = ${plain(choice.lam)}, in which a minority row counts ${plain(odds)} times, decides alike at 1/2. ` +
          "The expense is what a row gained costs in false alarms, beside a training without weight.",
      ),
      p(
        "What is promised stands in the slip. Later rows call it broken with a probability of at most 5% while nothing drifts, " +
          "however often you look:",
      ),
      html("pre", {}, commands(slip)),
      save,
    ];
  }

  /* The slip as `crcen choose --slip` writes it. */
  async function written(slip) {
    const { assumes, ...rest } = slip;
    const day = new Date();
    const made = [day.getFullYear(), day.getMonth() + 1, day.getDate()].map((n) => String(n).padStart(2, "0")).join("-");
    const digest = await DeskScores.digest(state.data.rows);
    return JSON.stringify({ ...rest, digest, made, version, assumes }, null, 2);
  }

  /* The same from a terminal. */
  function commands(slip) {
    const word = (text) => (/^[\w.][\w.-]*$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
    const named = (name) => word(inputs[name].value);
    const logits = slip.scores === "logits" ? " --logits" : "";
    const read = `--target ${named("label")} --score ${named("score")} --positive ${word(state.data.positive)}${logits}`;
    const wish = Object.entries(slip.wish).map(([name, v]) => ` --${name.replace("_", "-")} ${v}`).join("");
    const lam = inputs.lam.value.trim() && ` --lam ${named("lam")}`;
    return (
      `crcen choose ${word(state.name)} ${read}${wish}${lam} --slip promise.json\n` +
      `crcen check promise.json later.csv ${read}`
    );
  }

  function outlookOf(slip, now, later) {
    const then = DeskScores.outlook(slip, later);
    const lines = {
      "alarms in 1,000 rows": ({ alarms }) => whole.format(1000 * alarms),
      precision: ({ precision }) => percent(precision),
      "false alarms for the last row found": ({ price }) => plain(price),
      threshold: ({ threshold }) => general(threshold, 10),
    };
    return table(
      ["", `as here, ${percent(slip.prevalence)}`, percent(later)],
      Object.entries(lines).map(([name, say]) => [name, say(now), say(then)]),
    );
  }

  function weightOf(audit, positive) {
    const { lam, line, announced, certain } = audit;
    const { probabilities } = state.data;
    const sum = (values, f) => values.reduce((all, v) => all + f(v), 0);
    const back = (v) => DeskScores.shiftBack(v, lam);
    const known = lam > 0 && lam < 1;
    const shifted = known ? sum(probabilities.one, back) + sum(probabilities.zero, back) : NaN;
    const apart = line && Math.abs(line.slope - 1) > 1.96 * line.slope_error;
    const verdict = !apart
      ? "as it should be"
      : `the model is too ${line.slope < 1 ? "sure" : "timid"} of itself, and no shift mends that`;
    const rows = [
      ["weight λ", `${plain(lam)}, 95% interval ${between(DeskScores.weightInterval(audit), plain)}: ${either(DeskScores.names(audit))}`],
      ["a minority row counted", `${plain(lam / (1 - lam))} times (α = ${plain(audit.alpha)})`],
      ["rows announced", `${whole.format(announced)}, and there are ${whole.format(probabilities.one.length)} of ${quote(positive)}`],
      ["after shifting back", known ? whole.format(shifted) : "–"],
      ["Platt’s slope", line ? `${line.slope.toFixed(2)} ± ${(1.96 * line.slope_error).toFixed(2)}: ${verdict}` : "none: the classes do not overlap, or have one score"],
    ];
    if (certain) rows.push(["rows of score 0 or 1", `${whole.format(certain)}, which the slope leaves out`]);
    return [html("dl", { class: "desk-readings" }, ...rows.flatMap(([term, text]) => [html("dt", {}, term), html("dd", {}, text)]))];
  }

  // Figures: SVG of 340 by 250 units, the axes from (LEFT, TOP) to (RIGHT, BOTTOM)

  const [LEFT, RIGHT, TOP, BOTTOM] = [48, 320, 14, 196];
  const place = (low, high, start, end) => (v) => start + ((v - low) / (high - low)) * (end - start);
  const text = (x, y, anchor, content, name = "") =>
    svg("text", { x: x.toFixed(1), y: y.toFixed(1), "text-anchor": anchor, class: name }, content);
  const stroke = (x1, y1, x2, y2, name) =>
    svg("path", { d: `M${[x1, y1].map((v) => v.toFixed(1))}L${[x2, y2].map((v) => v.toFixed(1))}`, class: name });

  const panel = (alt, ...marks) =>
    svg("svg", { viewBox: "0 0 340 250", role: "img", "aria-label": alt }, ...marks);

  function figures(slip, lam) {
    return html("div", { class: "desk-figures" }, calibration(), everyWeight(slip, lam));
  }

  /* Observed shares over what the scores say, before and after shifting back; both axes logarithmic. */
  function calibration() {
    const { probabilities, audit, positive } = state.data;
    const known = audit.lam > 0 && audit.lam < 1;
    const back = known ? (v) => DeskScores.shiftBack(v, audit.lam) : (v) => v;
    const parts = Math.min(10, Math.max(2, Math.floor(probabilities.one.length / 10)));
    const groups = DeskScores.reliability(probabilities, back, parts);
    const share = (group) => group.minority / group.rows;
    const seen = groups.flatMap((g) => [g.before, g.after, share(g), g.high]).filter((v) => v > 1e-6);
    const least = Math.floor(Math.log10(Math.min(0.1, ...seen)));
    const [x, y] = [place(least, 0, LEFT, RIGHT), place(least, 0, BOTTOM, TOP)];
    const log = (v) => Math.max(Math.log10(v), least);
    const marks = [];
    for (let k = least; k <= 0; k++) {
      const label = `${Number((100 * 10 ** k).toPrecision(1))}%`;
      marks.push(stroke(LEFT, y(k), RIGHT, y(k), "grid"), text(LEFT - 5, y(k) + 4, "end", label));
      marks.push(text(x(k), BOTTOM + 16, "middle", label));
    }
    marks.push(stroke(LEFT, BOTTOM, RIGHT, TOP, "diagonal"));
    for (const group of groups) {
      const [from, to, at] = [x(log(group.before)), x(log(group.after)), y(log(share(group)))];
      marks.push(stroke(to, y(log(group.low)), to, y(log(group.high)), "after"), stroke(from, at, to, at, "moved"));
      marks.push(svg("circle", { cx: from.toFixed(1), cy: at.toFixed(1), r: 3.5, class: "before" }));
      marks.push(svg("circle", { cx: to.toFixed(1), cy: at.toFixed(1), r: 3.5, class: "after" }));
    }
    marks.push(text((LEFT + RIGHT) / 2, BOTTOM + 36, "middle", "probability, mean of a group"));
    const alt =
      "Share of the minority over the mean probability, in groups of rows: hollow circles as the scores are, full ones after " +
      "shifting back, and the diagonal on which they are right.";
    const rows = groups.map((g) => [
      whole.format(g.rows), percent(g.before), percent(g.after), counted([g.minority, g.rows]), between([g.low, g.high], percent),
    ]);
    return html("figure", {},
      panel(alt, ...marks),
      html("figcaption", {},
        `Share of ${quote(positive)} in groups that announce alike many: hollow as the scores are, full after shifting back` +
          `${known ? "" : " (by no weight, as none was found)"}, with 95% intervals. On the diagonal probabilities are right.`),
      html("details", {}, html("summary", {}, "The groups as a table"),
        html("div", { class: "desk-scroll", tabindex: 0, role: "region", "aria-label": "The groups" },
          table(["rows", "mean", "shifted back", "minority", "95% interval"], rows))),
      csv("calibration.csv", groups),
    );
  }

  /* Recall and specificity at every weight. */
  function everyWeight(slip, lam) {
    const { logits, kind } = state.data;
    const shown = kind === "probabilities" ? expit : (cut) => cut;
    const offset = logit(slip.choice.lam) + (kind === "probabilities" ? logit(slip.threshold) : slip.threshold);
    const quantile = (values, q) => values[Math.round(q * (values.length - 1))];
    const chosen = logit(slip.choice.lam);
    const within = (v) => Math.min(14, Math.max(-14, v)); // λ from one in a million to one less
    const ends = [quantile(logits.one, 0.005), quantile(logits.zero, 0.995)].map((cut) => offset - cut);
    const [from, to] = [within(Math.min(...ends, chosen - 0.5)), within(Math.max(...ends, chosen + 0.5))];
    const points = DeskScores.curve(logits, lam, from, to);
    const [x, y] = [place(from, to, LEFT, RIGHT), place(0, 1, BOTTOM, TOP)];
    const marks = [];
    for (const share of [0, 0.5, 1]) {
      marks.push(stroke(LEFT, y(share), RIGHT, y(share), "grid"), text(LEFT - 5, y(share) + 4, "end", `${100 * share}%`));
    }
    let free = -Infinity;
    for (const tick of [1e-6, 1e-4, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.999999]) {
      const at = x(logit(tick));
      if (at < LEFT - 1 || at > RIGHT + 1 || at < free) continue;
      free = at + 42;
      marks.push(text(at, BOTTOM + 16, "middle", String(tick)));
      marks.push(text(at, BOTTOM + 34, "middle", general(shown(offset - logit(tick)), 2), "muted"));
    }
    marks.push(text(LEFT - 5, BOTTOM + 16, "end", "λ"), text(RIGHT, BOTTOM + 50, "end", "score", "muted"));
    for (const name of ["recall", "specificity"]) {
      const path = points.map((point, k) => `${x(from + ((to - from) * k) / 200).toFixed(1)} ${y(point[name]).toFixed(1)}`);
      marks.push(svg("path", { d: `M${path.join("L")}`, class: `curve ${name}` }));
    }
    marks.push(text(RIGHT - 4, TOP + 16, "end", "recall", "recall"), text(LEFT + 4, TOP + 16, "start", "specificity", "specificity"));
    if (chosen > from && chosen < to) marks.push(stroke(x(chosen), TOP, x(chosen), BOTTOM, "chosen"));
    if (offset > from && offset < to) marks.push(stroke(x(offset), TOP, x(offset), BOTTOM, "half"));
    const alt =
      `Recall rises and specificity falls with the weight. At the chosen λ = ${plain(slip.choice.lam)} they are ` +
      `${percent(value(slip.choice.recall))} and ${percent(value(slip.choice.specificity))}.`;
    return html("figure", {},
      panel(alt, ...marks),
      html("figcaption", {},
        "Recall and specificity at every weight λ, below it the score at which that weight decides. The line is your choice, the " +
          "dashed one the model at 1/2."),
      csv("weights.csv", points.map(({ cut, ...point }) => ({ threshold: shown(cut), ...point }))),
    );
  }

  // From four counts to sentences

  function tellCounts() {
    const counts = Object.keys(COUNTS).map((name) => {
      const count = typed(name);
      if (count !== undefined && !(Number.isInteger(count) && count >= 0 && count <= 1e9)) {
        throw new Error(`${name.toUpperCase()}=${count} is no count: type a whole number from 0 to a billion.`);
      }
      return count;
    });
    const later = prevalence();
    if (counts.includes(undefined)) {
      answer.textContent = NOTHING;
      return;
    }
    const [tp, fn, fp, tn] = counts;
    for (const [names, rows] of [["TP and FN", tp + fn], ["FP and TN", fp + tn]]) {
      if (!rows) throw new Error(`${names} are 0, so one class has no rows: type the counts of rows of both classes.`);
    }
    const found = DeskScores.confusion(tp, fn, fp, tn);
    answer.textContent =
      `Of the minority ${percent(value(found.recall))} are found (95% interval ${between(interval(found.recall), percent)}), and ` +
      (tp + fp
        ? `${percent(value(found.precision))} of the alarms are right (${between(interval(found.precision), percent)}): ` +
          `${plain(found.expense)} false alarms for each row found.`
        : "there are no alarms.");
    const names = { recall: "recall", specificity: "specificity", precision: "precision", negative: "dismissals that are right", alarms: "alarms", prevalence: "minority" };
    const rows = Object.entries(names).map(([name, text]) => [text, counted(found[name]), between(interval(found[name]), percent)]);
    rows.push(["false alarms for a row found", plain(found.expense), tp + fp ? between(found.expense_interval, plain) : "–"]);
    results.append(
      section("Shares, with exact intervals", table(["", "here", "95% interval"], rows)),
      section("What the counts say of a weight", p(priceOf(found, tp + fp && fn + tn))),
      ...(later === undefined ? [] : [section("At another prevalence", countsAt(found, later))]),
    );
  }

  function priceOf({ price, lams, ratio }, decided) {
    if (!decided) return "Every row is decided alike, which any weight may bring about.";
    if (price[0] > price[1]) {
      return (
        "No weight brings these counts about with right probabilities: the rows dismissed are of the minority more often than the " +
        "alarms are, so that a coin does better."
      );
    }
    const usual = { none: 0.5, balanced: ratio / (1 + ratio) };
    const inside = Object.keys(usual).filter((name) => lams[0] <= usual[name] && usual[name] <= lams[1]);
    return (
      "If these are decisions at 1/2 by right probabilities, the last row found was worth between " +
      `${between(price, plain).replace(" to ", " and ")} false alarms, so that λ lies between ` +
      `${between(lams, plain).replace(" to ", " and ")}: ${either(inside)}. Labels and scores would tell it with an interval.`
    );
  }

  /* The ends come from intervals of 97.5% for recall and for specificity: together 95%. */
  function countsAt(found, later) {
    const [recall, specificity] = [found.recall, found.specificity].map((share) => interval(share, 0.975));
    const at = (r, s) => DeskScores.atPrevalence(r, s, later);
    const [here, low, high] = [at(value(found.recall), value(found.specificity)), at(recall[0], specificity[0]), at(recall[1], specificity[1])];
    const alarms = [at(recall[0], specificity[1]).alarms, at(recall[1], specificity[0]).alarms];
    const thousand = (share) => whole.format(1000 * share);
    return table(["", `at ${percent(later)}`, "95% interval"], [
      ["precision", percent(here.precision), between([low.precision, high.precision], percent)],
      ["alarms in 1,000 rows", thousand(here.alarms), between(alarms, thousand)],
    ]);
  }

  // An example: probabilities of a model that was balanced, whose labels are as frequent as it says

  function example() {
    const [n, stride] = [2000, 1009];
    const q = Array.from({ length: n }, (_, i) => expit(1.6 * logit((i + 0.5) / n) - 3.4));
    const prior = q.reduce((sum, v) => sum + v, 0) / n;
    let sum = 0;
    const rows = q.map((_, i) => {
      const v = q[(i * stride) % n]; // in a mixed order
      sum += v;
      const label = Math.floor(sum) > Math.floor(sum - v) ? "late" : "on time";
      return [label, DeskScores.shiftBack(v, prior)];
    });
    if (inputs.counts.checked) {
      const count = (label, alarm) => rows.filter(([l, v]) => l === label && v > 0.5 === alarm).length;
      inputs.tp.value = count("late", true);
      inputs.fn.value = count("late", false);
      inputs.fp.value = count("on time", true);
      inputs.tn.value = count("on time", false);
      return update();
    }
    inputs.file.value = "";
    inputs.paste.value = ["arrival,probability", ...rows.map(([label, v]) => `${label},${v.toPrecision(6)}`)].join("\n");
    open(inputs.paste.value, "scores.csv");
  }

  build();
})();
