/* The logistic function and its inverse, which loses no digit where p is near 1/2. */

const Logistic = (() => {
  "use strict";

  const expit = (o) => 1 / (1 + Math.exp(-o));

  function logit(p) {
    if (p < 0.3 || p > 0.65) return Math.log(p / (1 - p));
    const s = 2 * (p - 0.5);
    return Math.log1p(s) - Math.log1p(-s);
  }

  return { expit, logit };
})();
