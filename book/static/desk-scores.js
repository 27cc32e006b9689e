/* What the desk says of scores: the functions of crcen/auditing.py, ranking.py, choice.py, wishes.py
 * and slip.py, on scores of the two classes that are sorted, so that counting is a search.
 *
 * tests/test_desk.py compares each with its counterpart. */

const DeskScores = (() => {
  "use strict";

  const { expit, logit } = Logistic;
  const { TINY, Z95, betaincinv, binomialAbove, interval, value, general } = DeskNumbers;
  const HAIR = 1e-6; // the boundary stands this far from a row at least
  const FEWEST = 8; // alarms of which a precision is first tested
  const FINE = 10000; // steps of the alarms after that
  const PRICES = ["cost_ratio", "expense"]; // wishes that are no shares
  const WISHES = ["recall", "precision", ...PRICES, "capacity"];
  const ASSUMES = [
    "the rows of the promise and the rows that it is kept on are draws of the same two classes",
    "the scores come from the same model",
    "no row's label depends on what was decided for it",
  ];

  const total = (values, f = (v) => v) => values.reduce((sum, v) => sum + f(v), 0);

  /* How many of sorted values are at most v, or below it. */
  function atMost(sorted, v, below = false) {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (below ? sorted[middle] < v : sorted[middle] <= v) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  const above = (sorted, v) => sorted.length - atMost(sorted, v);

  /* The scores of either class, sorted. */
  function classes(values, y) {
    const [one, zero] = [values.filter((_, i) => y[i]).sort(), values.filter((_, i) => !y[i]).sort()];
    return { one, zero };
  }

  /* A score in [0, 1] throughout is a probability. */
  const kindOf = (values) => (values.every((v) => v >= 0 && v <= 1) ? "probabilities" : "logits");

  function check(values, kind) {
    const wrong = values.find((v) => v < 0 || v > 1);
    if (kind === "probabilities" && wrong !== undefined) {
      throw new Error(`The score ${wrong} is no probability: choose logits, or another column.`);
    }
  }

  const map = ({ one, zero }, f) => ({ one: one.map(f), zero: zero.map(f) });

  /* A probability of 0 or 1 ranks first or last, and has the nearest logit that is finite. */
  const asLogits = (rows, kind) =>
    kind === "logits" ? rows : map(rows, (p) => logit(Math.min(Math.max(p, TINY), 1 - 2 ** -53)));

  // The audit

  /* Platt's line by Newton's steps, on the rows that are not certain; null if there is none: one
   * class, one logit, or classes that do not overlap. */
  function line({ one, zero }) {
    const open = (values) => values.filter((p) => p > 0 && p < 1).map(logit);
    const [o1, o0] = [open(one), open(zero)];
    const [n1, n0, n] = [o1.length, o0.length, o1.length + o0.length];
    if (!n1 || !n0 || o0[n0 - 1] <= o1[0] || o1[n1 - 1] <= o0[0]) return null;
    const middle = (total(o1) + total(o0)) / n;
    const squares = (v) => (v - middle) ** 2;
    const spread = Math.sqrt((total(o1, squares) + total(o0, squares)) / n);

    function at(a, b) {
      const found = { a, b, likelihood: 0, g0: 0, g1: 0, h00: 0, h01: 0, h11: 0 };
      for (const [values, label] of [[o1, 1], [o0, 0]]) {
        for (const o of values) {
          const t = (o - middle) / spread;
          const eta = a + b * t;
          const q = expit(eta);
          const w = q * (1 - q);
          found.likelihood += label * eta - Math.max(eta, 0) - Math.log1p(Math.exp(-Math.abs(eta)));
          found.g0 += label - q;
          found.g1 += (label - q) * t;
          found.h00 += w;
          found.h01 += w * t;
          found.h11 += w * t * t;
        }
      }
      found.determinant = found.h00 * found.h11 - found.h01 ** 2;
      return found;
    }

    let now = at(Math.log(n1 / n0), 0);
    for (let k = 0; k < 100; k++) {
      const { a, b, likelihood, g0, g1, h00, h01, h11, determinant } = now;
      let da = (h11 * g0 - h01 * g1) / determinant;
      let db = (h00 * g1 - h01 * g0) / determinant;
      if (!Number.isFinite(da + db)) return null;
      const small = Math.abs(da) + Math.abs(db) <= 1e-10 * (1 + Math.abs(a) + Math.abs(b));
      let next = at(a + da, b + db);
      const least = likelihood - 1e-12 * Math.abs(likelihood); // but for rounding
      for (let j = 0; j < 60 && !(next.likelihood >= least); j++) {
        [da, db] = [da / 2, db / 2];
        next = at(a + da, b + db);
      }
      now = next;
      if (small) break;
    }
    const { a, b, h00, h01, h11, determinant } = now;
    const m = middle / spread;
    return {
      intercept: a - b * m,
      slope: b / spread,
      intercept_error: Math.sqrt((h11 + 2 * m * h01 + m * m * h00) / determinant),
      slope_error: Math.sqrt(h00 / determinant) / spread,
    };
  }

  /* The weight behind probabilities: Eq. 6 solved for it. */
  function audit(rows) {
    const { one, zero } = rows;
    const [n1, n0] = [one.length, zero.length];
    const [a, b] = [total(one, (p) => 1 - p), total(zero)];
    if (a === 0 && b === 0) {
      throw new Error(
        "The scores are 1 on every minority row and 0 on every other, which any weight brings about: " +
          "take rows that the model was not trained on.",
      );
    }
    const ratio = n0 / n1;
    const alpha = b / n0 / (a / n1);
    const odds = alpha * ratio;
    const spread =
      a * b > 0
        ? Math.hypot(Math.sqrt(total(one, (p) => (1 - p) ** 2)) / a, Math.sqrt(total(zero, (p) => p * p)) / b)
        : Infinity;
    return {
      lam: Number.isFinite(odds) ? odds / (1 + odds) : 1,
      alpha,
      ratio,
      spread,
      line: line(rows),
      recall: [n1 - atMost(one, 0.5), n1],
      specificity: [atMost(zero, 0.5), n0],
      announced: total(one) + b,
      certain: certain(one) + certain(zero),
    };
  }

  const certain = (p) => atMost(p, 0) + p.length - atMost(p, 1, true);

  /* The interval of lambda, by the normal law of its logit. */
  function weightInterval({ lam, spread }) {
    if (!Number.isFinite(spread)) return [0, 1];
    return [-1, 1].map((side) => expit(logit(lam) + side * Z95 * spread));
  }

  /* The usual weights that lie in it. */
  function names(found) {
    const [low, high] = weightInterval(found);
    return ["none", "balanced", "balanced twice"].filter((_, k) => {
      const lam = expit(k * Math.log(found.ratio));
      return low <= lam && lam <= high;
    });
  }

  /* Probabilities without the weight. */
  const shiftBack = (p, lam) => ((1 - lam) * p) / ((1 - lam) * p + lam * (1 - p));

  /* How many of `others` lie below each of `sorted`, ties by half. */
  function ranks(sorted, others) {
    let [below, upTo] = [0, 0];
    return sorted.map((v) => {
      while (below < others.length && others[below] < v) below++;
      while (upTo < others.length && others[upTo] <= v) upTo++;
      return (below + upTo) / 2;
    });
  }

  /* The area under the ROC curve, with the interval of DeLong et al. */
  function area({ one, zero }) {
    const [n1, n0, n] = [one.length, zero.length, one.length + zero.length];
    const part1 = ranks(one, zero).map((rank) => rank / n0);
    const part0 = ranks(zero, one).map((rank) => 1 - rank / n1);
    const found = total(part1) / n1;
    const squares =
      total(part1, (part) => ((part - found) / n1) ** 2) + total(part0, (part) => ((part - found) / n0) ** 2);
    const error = Math.sqrt((squares * n) / (n - 1));
    return { value: found, low: found - Z95 * error, high: found + Z95 * error };
  }

  /* Groups of rows by their probability, each of which announces an equal part of the minority;
   * `to` takes the weight out. */
  function reliability({ one, zero }, to = (p) => p, parts = 10) {
    const announced = total(one, to) + total(zero, to);
    const groups = [];
    let [i, j, sum, group] = [one.length - 1, zero.length - 1, 0, null];
    while (i >= 0 || j >= 0) {
      const p = Math.max(i >= 0 ? one[i] : -1, j >= 0 ? zero[j] : -1);
      if (!group || (groups.length < parts && sum >= (announced * groups.length) / parts)) {
        group = { rows: 0, before: 0, after: 0, minority: 0 };
        groups.push(group);
      }
      for (; i >= 0 && one[i] === p; i--, group.minority++) add(p);
      for (; j >= 0 && zero[j] === p; j--) add(p);
    }
    function add(p) {
      group.rows++;
      group.before += p;
      group.after += to(p);
      sum += to(p);
    }
    for (const each of groups) {
      each.before /= each.rows;
      each.after /= each.rows;
      [each.low, each.high] = interval([each.minority, each.rows]);
    }
    return groups.reverse();
  }

  // The choice

  function checkLam(lam) {
    if (!(lam >= TINY && lam < 1)) {
      throw new Error(
        `lam=${lam} is not a weight: give a number strictly between 0 and 1 (0.5 is plain cross ` +
          "entropy), or say balanced.",
      );
    }
  }

  function checkWish(wish) {
    for (const [name, number] of Object.entries(wish)) {
      const price = PRICES.includes(name);
      if (!(number > 0 && number < (price ? Infinity : 1))) {
        throw new Error(`${name}=${number} must be ${price ? "positive and finite" : "strictly between 0 and 1"}.`);
      }
    }
    const given = WISHES.filter((name) => name in wish);
    if (!given.length) throw new Error(`There is no wish: give one or more of ${WISHES.join(", ")}.`);
    if ("confidence" in wish && !("recall" in wish || "precision" in wish)) {
      throw new Error(
        `confidence=${wish.confidence} belongs to recall and precision: leave it out with ${given.join(" and ")}.`,
      );
    }
  }

  /* From below, the minority row at which the boundary is to stand. */
  function rowOf(n, recall, confidence) {
    let k, least;
    if (confidence === undefined) {
      k = Math.min(Math.floor((1 - recall) * (n + 1) + 1e-9), n); // 0.1 * 10 must not become 0
      least = Math.ceil(recall / (1 - recall) - 1e-9);
    } else {
      let [low, high] = [0, n];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (binomialAbove(middle, n, 1 - recall) >= confidence) low = middle + 1;
        else high = middle;
      }
      k = low;
      least = Math.ceil(Math.log(1 - confidence) / Math.log(recall));
    }
    if (k < 1) {
      throw new Error(
        `recall=${recall}${confidence === undefined ? "" : `, confidence=${confidence}`} cannot be promised ` +
          `from ${n} minority rows, it takes ${least}: wish for less, or hold out more rows.`,
      );
    }
    return k;
  }

  /* In three digits, on the side that keeps what is said of it. */
  function rounded(number, up) {
    const scale = 10 ** (2 - Math.floor(Math.log10(number)));
    return general((up ? Math.ceil : Math.floor)(number * scale) / scale, 3);
  }

  /* What wishes make of rows: bounds on alpha. `one` and `zero` are log-likelihood ratios. */
  function chooseAlpha({ one, zero }, wish) {
    const n = one.length + zero.length;
    const rising = new Float64Array(n);
    rising.set(one);
    rising.set(zero, one.length);
    rising.sort();
    const ratio = zero.length / one.length;

    function atCapacity(capacity) {
      const flagged = Math.min(Math.floor(capacity * (n + 1) + 1e-9), n) - 1;
      if (flagged < 0) {
        throw new Error(
          `capacity=${capacity} is less than one row of ${n}: hold out more rows, or wish for ` +
            `${general(1 / (n + 1), 2)} or more.`,
        );
      }
      return Math.exp(-(rising[n - 1 - flagged] + HAIR));
    }

    /* Of the boundaries that decide all rows as this one does, the one in the middle. */
    function middle(alpha) {
      const k = atMost(rising, -Math.log(alpha));
      if (k === 0 || k === n || rising[k] - rising[k - 1] < 2 * HAIR) return alpha;
      return Math.exp(-(rising[k] + rising[k - 1]) / 2);
    }

    /* Numbers of alarms at which a precision is looked at. */
    function counted() {
      if (wish.confidence === undefined) return Array.from({ length: n - 1 }, (_, k) => k + 1);
      const top = Math.log10(n - 1);
      const steps = Array.from({ length: FINE }, (_, k) => Math.round(10 ** ((k / (FINE - 1)) * top)));
      return [...new Set([...steps, n - 1])];
    }

    /* Lower limits of all at once: fixed sequences from several starts. */
    function sure(counts, alarms, right) {
      const halves = [];
      for (let m = n >> 1; m >= 1; m >>= 1) halves.push(m);
      const many = halves.filter((m) => m >= FEWEST);
      const starts = many.length ? many : [n >> 1];
      const error = (1 - wish.confidence) / starts.length;
      const limit = right.map((k, i) => (k ? betaincinv(k, alarms[i] - k + 1, error) : 0));
      const least = limit.map(() => 0);
      for (const start of starts) {
        let met = Infinity;
        for (let i = counts.findIndex((count) => count >= start); i >= 0 && i < limit.length; i++) {
          met = Math.min(met, limit[i]);
          least[i] = Math.max(least[i], met);
        }
      }
      return least;
    }

    /* Alphas, and the least precision that can be said of each. */
    function precisions(more) {
      const counts = counted();
      const at = counts.map((count) => rising[n - 1 - count] + HAIR).concat(more.map((a) => -Math.log(a)));
      const alarms = at.map((cut) => above(rising, cut)); // fewer than counted if rows tie
      const right = at.map((cut) => above(one, cut));
      const least =
        wish.confidence === undefined
          ? right.map((k, i) => (alarms[i] ? k / alarms[i] : 0))
          : sure(counts, alarms, right);
      const alphas = at.map((cut, i) => (i < counts.length ? Math.exp(-cut) : more[i - counts.length]));
      return alphas
        .map((alpha, i) => ({ alpha, least: least[i] }))
        .filter(({ alpha }) => alpha > 0 && alpha < Infinity);
    }

    function lowerRecall(alpha) {
      const found = alpha > 0 ? above(one, -Math.log(alpha)) : 0;
      if (!found) return [];
      const most =
        wish.confidence === undefined
          ? found / (one.length + 1)
          : betaincinv(found, one.length - found + 1, 1 - wish.confidence);
      return most > 0 ? [`recall=${rounded(most, false)} or less`] : [];
    }

    function contradiction(name) {
      const alarms = above(rising, -Math.log(floor));
      const capacity = name === "capacity";
      const needed = capacity ? (alarms + 1) / (n + 1) : floor * ratio;
      const takes = capacity
        ? `takes ${((100 * alarms) / n).toFixed(1)}% of the rows`
        : `lets the last row found cost ${general(needed, 3)} false alarms`;
      const most = capacity ? 1 : Infinity;
      const remedies = lowerRecall(ceiling);
      if (needed < most && Number(rounded(needed, true)) < most) {
        remedies.push(`${name}=${rounded(needed, true)} or more`);
      }
      return new Error(
        `recall=${wish.recall} ${takes}, more than ${name}=${wish[name]}: wish for ` +
          `${remedies.join(", or ") || "one of them"}.`,
      );
    }

    function imprecise(found) {
      const precise = found.filter(({ least }) => least >= wish.precision).map(({ alpha }) => alpha);
      const greatest = precise.reduce((a, b) => Math.max(a, b), -Infinity);
      const smallest = precise.reduce((a, b) => Math.min(a, b), Infinity);
      let others = ["recall", tightest].filter((name) => name in wish);
      if (!precise.length) others = [];
      else if (greatest < floor) others = ["recall"];
      else if (smallest > ceiling) others = [tightest];
      const remedies = [];
      const best = found
        .filter(({ alpha }) => alpha >= floor && alpha <= ceiling)
        .reduce((most, { least }) => Math.max(most, least), 0);
      if (best > 0) remedies.push(`precision=${rounded(best, false)} or less`);
      const lower = precise.filter((alpha) => alpha <= ceiling).reduce((a, b) => Math.max(a, b), 0);
      if (others.includes("recall") && lower) remedies.push(...lowerRecall(lower));
      const keeps = others.map((name) => `${name}=${wish[name]}`).join(" and ");
      const sureness = wish.confidence === undefined ? "" : `, confidence=${wish.confidence}`;
      return new Error(
        `precision=${wish.precision}${sureness} is kept by no threshold here` +
          `${keeps && ` that keeps ${keeps}`}: wish for ${[...remedies, "hold out more rows"].join(", or ")}.`,
      );
    }

    let floor = 0;
    if ("recall" in wish) {
      floor = Math.exp(-(one[rowOf(one.length, wish.recall, wish.confidence) - 1] - HAIR));
    }
    const ceilings = {};
    if ("capacity" in wish) ceilings.capacity = atCapacity(wish.capacity);
    if ("expense" in wish) ceilings.expense = wish.expense / ratio;
    const tightest = Object.keys(ceilings).sort((a, b) => ceilings[a] - ceilings[b])[0] || "";
    const ceiling = ceilings[tightest] ?? Infinity;
    if (floor > ceiling) throw contradiction(tightest);
    const low = "recall" in wish ? Math.min(middle(floor), ceiling) : floor;
    const high = tightest === "capacity" ? Math.max(middle(ceiling), low) : ceiling;
    let aim = "recall" in wish ? low : high;
    if ("cost_ratio" in wish) aim = Math.min(Math.max(wish.cost_ratio / ratio, low), high);
    if (!("precision" in wish)) return aim;
    const exactly = wish.confidence === undefined && aim > 0 && aim < Infinity;
    const found = precisions(exactly ? [aim] : []);
    const inside = found.filter(
      ({ alpha, least }) => least >= wish.precision && alpha >= floor && alpha <= ceiling,
    );
    if (!inside.length) throw imprecise(found);
    const most = inside.reduce((a, { alpha }) => Math.max(a, alpha), 0);
    const apart = ({ alpha }) => Math.abs(Math.log(alpha) - Math.log(Math.min(aim, most)));
    return inside.reduce((best, each) => (apart(each) < apart(best) ? each : best)).alpha;
  }

  /* The log of the alpha that scores were made with. */
  function logMadeWith(lam, ratio) {
    if (lam === "balanced") return 0;
    checkLam(lam);
    return Math.log(lam / ((1 - lam) * ratio));
  }

  /* A weight for one wish or several, and what the rows promise of it; `logits` of either class. */
  function choose(logits, wish, lam) {
    checkWish(wish);
    const ratio = logits.zero.length / logits.one.length;
    const madeWith = logMadeWith(lam, ratio);
    const r = map(logits, (o) => o - madeWith);
    const alpha = chooseAlpha(r, wish);
    const odds = alpha * ratio;
    const weight = odds / (odds + 1);
    if (!(weight >= TINY && weight < 1)) {
      const asked = WISHES.filter((name) => name in wish).map((name) => `${name}=${wish[name]}`);
      throw new Error(
        `${asked.join(" and ")} takes alpha=${general(alpha, 3)}, at which lambda rounds to 0 or 1: wish ` +
          "for less; if it is a recall, raise the l2 of the model, whose logits are too steep.",
      );
    }
    const [cut, plain] = [-Math.log(alpha), Math.log(ratio)];
    const changed = (sorted) => Math.abs(above(sorted, cut) - above(sorted, plain));
    return {
      lam: weight,
      alpha,
      recall: [above(r.one, cut), r.one.length],
      specificity: [atMost(r.zero, cut), r.zero.length],
      gained: [changed(r.one), changed(r.one) + changed(r.zero)],
    };
  }

  // The slip

  /* What `crcen choose --slip` writes, but for the digest, the date and the version. */
  function promise(logits, kind, wish, lam) {
    const choice = choose(logits, wish, lam);
    const [n1, n0] = [logits.one.length, logits.zero.length];
    const cut = logMadeWith(lam, n0 / n1) - Math.log(choice.alpha);
    return {
      slip: 1,
      choice,
      threshold: kind === "probabilities" ? expit(cut) : cut,
      scores: kind,
      wish,
      prevalence: n1 / (n1 + n0),
      assumes: ASSUMES,
    };
  }

  /* SHA-256 of scores and labels, whatever the order of the rows. */
  async function digest({ one, zero }) {
    if (!globalThis.crypto?.subtle) {
      throw new Error("This address is not secure, so nothing can be signed: open the page from a file or by https.");
    }
    const pairs = new Float64Array(2 * (one.length + zero.length));
    zero.forEach((v, i) => (pairs[2 * i] = v));
    one.forEach((v, i) => pairs.set([v, 1], 2 * (zero.length + i)));
    const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", pairs));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /* The rows that are decided for the minority, and how many of them rightly so. */
  const precision = ({ recall, specificity }) => [recall[0], recall[0] + specificity[1] - specificity[0]];

  /* The shares that a check of later rows holds it to, at 95%: the third if it was wished for. */
  function promised({ choice, wish }) {
    const shares = [choice.recall, choice.specificity];
    if ("precision" in wish) shares.push(precision(choice));
    return shares.map((share) => interval(share, 1 - 0.05 / shares.length)[0]);
  }

  /* The same decisions at another prevalence. */
  function outlook(slip, prevalence) {
    const { choice, wish, threshold } = slip;
    const rates = atPrevalence(value(choice.recall), value(choice.specificity), prevalence);
    const shift = logit(prevalence) - logit(slip.prevalence);
    let moved = threshold;
    if (Object.keys(wish).every((name) => PRICES.includes(name))) {
      moved = slip.scores === "probabilities" ? expit(logit(threshold) - shift) : threshold - shift;
    }
    const price = (choice.lam / (1 - choice.lam)) * Math.exp(-shift);
    return { ...rates, price, threshold: moved };
  }

  /* Every weight: what a threshold at its place finds. `from` and `to` are logits of lambda. */
  function curve(logits, lam, from, to, steps = 200) {
    const [n1, n0] = [logits.one.length, logits.zero.length];
    const madeWith = logMadeWith(lam, n0 / n1);
    return Array.from({ length: steps + 1 }, (_, k) => {
      const x = from + ((to - from) * k) / steps;
      const cut = madeWith + Math.log(n0 / n1) - x;
      const [found, accused] = [above(logits.one, cut), above(logits.zero, cut)];
      return { lam: expit(x), cut, recall: found / n1, specificity: 1 - accused / n0, alarms: found + accused };
    });
  }

  // Four counts alone

  /* What a table of counts says: shares, the mean expense, and between what the price lies. */
  function confusion(tp, fn, fp, tn) {
    const n = tp + fn + fp + tn;
    const against = ([part, all]) => interval([part, all]).reverse().map((p) => (1 - p) / p);
    return {
      recall: [tp, tp + fn],
      specificity: [tn, fp + tn],
      precision: [tp, tp + fp],
      negative: [tn, tn + fn],
      alarms: [tp + fp, n],
      prevalence: [tp + fn, n],
      ratio: (fp + tn) / (tp + fn),
      expense: fp / tp,
      expense_interval: against([tp, tp + fp]),
      price: [fp / tp, tn / fn],
      lams: [fp / (fp + tp), tn / (tn + fn)],
    };
  }

  /* Precision and alarms of a recall and a specificity at a prevalence. */
  function atPrevalence(recall, specificity, prevalence) {
    const hits = recall * prevalence;
    const alarms = hits + (1 - specificity) * (1 - prevalence);
    return { precision: hits / alarms, alarms };
  }

  return {
    classes, kindOf, check, map, asLogits, line, audit, weightInterval, names, shiftBack, area,
    reliability, promise, digest, precision, promised, outlook, curve, confusion, atPrevalence,
  };
})();
