/* What pages compute about two normal classes: by closed forms, and the one mean that has none. */

const normal = (() => {
  "use strict";

  const { expit } = Logistic;
  const density = (z) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);

  /* The distribution function: by its series about 0, and in the tail by Laplace's continued
   * fraction, which keeps all digits where a difference from 1 would have none. */
  function below(z) {
    if (z > 0) return 1 - below(-z);
    const a = -z;
    if (a < 3) {
      let term = a, sum = a;
      for (let k = 3; term > 1e-17; k += 2) sum += term *= (a * a) / k;
      return 0.5 - density(a) * sum;
    }
    let fraction = a;
    for (let k = 60; k > 0; k--) fraction = a + k / fraction;
    return density(a) / fraction;
  }

  /* The mass between two points, from the tails on their side of 0. */
  const between = (a, b) => (a + b > 0 ? below(-a) - below(-b) : below(b) - below(a));

  /* Where the distribution function is p, by halving. */
  function quantile(p) {
    let [low, high] = [-40, 40];
    for (let k = 0; k < 60; k++) {
      const middle = (low + high) / 2;
      if (below(middle) < p) low = middle;
      else high = middle;
    }
    return low;
  }

  const STEP = 1 / 8, TAIL = 17; // exact to 1e-13 for d up to 5: the sum converges exponentially
  const NODES = Array.from({ length: (2 * TAIL) / STEP + 1 }, (_, k) => k * STEP - TAIL);
  const WEIGHTS = NODES.map((z) => density(z) * STEP);

  /* The mean of expit(a + b z) over a standard normal z. */
  const mean = (a, b) => NODES.reduce((sum, z, k) => sum + WEIGHTS[k] * expit(a + b * z), 0);

  return { density, below, between, quantile, mean };
})();
