/* The desk's special functions, with the names of SciPy's, and numbers as Python writes them.
 *
 * tests/test_desk.py compares each with its counterpart. */

const DeskNumbers = (() => {
  "use strict";

  const TINY = 2.2250738585072014e-308; // the least normal double
  const Z95 = 1.959963984540054; // 97.5% of a normal law lie below it

  /* What Stirling's formula lacks of log Gamma(a). */
  function stirling(a) {
    let lacks = 0;
    for (; a < 15; a++) lacks += (a + 0.5) * Math.log1p(1 / a) - 1;
    const b = 1 / (a * a);
    return lacks + (1 / 12 - b * (1 / 360 - b * (1 / 1260 - b * (1 / 1680 - b / 1188)))) / a;
  }

  const logQuotient = (x, y) => (Math.abs(x - y) < y / 2 ? Math.log1p((x - y) / y) : Math.log(x / y));

  /* x^a (1-x)^b / B(a, b), without a difference of large logarithms. */
  function betaPower(a, b, x) {
    const n = a + b;
    const far = a * logQuotient(x, a / n) + b * logQuotient(1 - x, b / n);
    const rest = stirling(n) - stirling(a) - stirling(b);
    return Math.sqrt((a * b) / (2 * Math.PI * n)) * Math.exp(far + rest);
  }

  /* The regularised incomplete beta function, by its continued fraction (Lentz). */
  function betainc(a, b, x) {
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    if (x > (a + 1) / (a + b + 2)) return 1 - betainc(b, a, 1 - x);
    const safe = (v) => (Math.abs(v) < 1e-300 ? 1e-300 : v);
    let c = 1;
    let d = 1 / safe(1 - ((a + b) * x) / (a + 1));
    let value = d;
    for (let m = 1; m < 100000; m++) {
      const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
      const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
      let factor = 1;
      for (const term of [even, odd]) {
        d = 1 / safe(1 + term * d);
        c = safe(1 + term / c);
        factor *= c * d;
      }
      value *= factor;
      if (Math.abs(factor - 1) < 1e-16) break;
    }
    return (betaPower(a, b, x) / a) * value;
  }

  /* Its inverse in x, by Newton's steps within a bracket. */
  function betaincinv(a, b, q) {
    let [low, high, x] = [0, 1, a / (a + b)];
    for (let k = 0; k < 200; k++) {
      const over = betainc(a, b, x) - q;
      if (over > 0) high = x;
      else low = x;
      let next = x - (over * x * (1 - x)) / betaPower(a, b, x);
      if (!(next > low && next < high)) next = (low + high) / 2;
      const moved = Math.abs(next - x);
      x = next;
      if (moved <= 1e-14 * x) break;
    }
    return x;
  }

  /* P(more than k) of n draws with probability p. */
  const binomialAbove = (k, n, p) => betainc(k + 1, n - k, p);

  /* The exact interval of a share (Clopper and Pearson). */
  function interval([part, total], level = 0.95) {
    if (!total) return [0, 1];
    const tail = (1 - level) / 2;
    return [
      part ? betaincinv(part, total - part + 1, tail) : 0,
      part < total ? 1 - betaincinv(total - part, part + 1, tail) : 1,
    ];
  }

  const value = ([part, total]) => part / total;

  /* Python's format of `digits` significant digits: "1.2e+03", "0.5". */
  function general(x, digits) {
    if (x === Infinity) return "inf";
    const [mantissa, exponent] = x.toExponential(digits - 1).split("e");
    const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
    if (exponent >= -4 && exponent < digits) return trimmed(x.toFixed(digits - 1 - exponent));
    return `${trimmed(mantissa)}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
  }

  return {
    TINY, Z95, betainc, betaincinv, binomialAbove, interval, value, general,
  };
})();
