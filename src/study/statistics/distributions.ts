/**
 * The two distributions that the tests and intervals need. Written here because for whole degrees of freedom Student's
 * distribution is a short finite sum, where the libraries bring hundreds of packages or nine digits only.
 */

/** The probability that a standard normal variable is at most x; absolute error below 1e-15. */
export function normalCdf(x: number): number {
  if (x > 8) return 1;
  if (x < -8) return 0;
  // Marsaglia (2004), "Evaluating the normal distribution": Φ(x) = ½ + φ(x)·(x + x³/3 + x⁵/(3·5) + …).
  let total = x;
  let term = x;
  for (let odd = 3; ; odd += 2) {
    term *= (x * x) / odd;
    const next = total + term;
    if (next === total) break;
    total = next;
  }
  return 0.5 + (total * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI);
}

/** The x below which a standard normal variable lies with this probability (0 < probability < 1). */
export function normalQuantile(probability: number): number {
  requireProbability(probability);
  return bisect(-8, 8, (x) => normalCdf(x) < probability);
}

/**
 * The probability that |T| is at most |t| for Student's distribution with a whole number of degrees of freedom;
 * absolute error below 1e-14. Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
 */
export function studentWithin(t: number, degrees: number): number {
  requireDegrees(degrees);
  return withinAngle(Math.atan(Math.abs(t) / Math.sqrt(degrees)), degrees);
}

/** The t below which Student's variable lies with this probability (0 < probability < 1). */
export function studentQuantile(probability: number, degrees: number): number {
  requireProbability(probability);
  requireDegrees(degrees);
  const within = Math.abs(2 * probability - 1);
  const angle = bisect(0, Math.PI / 2, (theta) => withinAngle(theta, degrees) < within);
  return Math.sign(probability - 0.5) * Math.sqrt(degrees) * Math.tan(angle);
}

/** P(|T| ≤ √ν·tan θ), a finite sum of powers of cos²θ. */
function withinAngle(theta: number, degrees: number): number {
  const odd = degrees % 2 === 1;
  const cosine = Math.cos(theta);
  let term = odd ? cosine : 1;
  let total = degrees === 1 ? 0 : term;
  for (let factor = odd ? 2 : 1; factor <= degrees - 3; factor += 2) {
    term *= (factor / (factor + 1)) * cosine * cosine;
    total += term;
  }
  const product = Math.sin(theta) * total;
  return Math.min(1, odd ? (2 / Math.PI) * (theta + product) : product);
}

/** The point between low and high where a predicate that starts true turns false, to the last bit. */
function bisect(low: number, high: number, stillBelow: (x: number) => boolean): number {
  let left = low;
  let right = high;
  for (;;) {
    const middle = (left + right) / 2;
    if (middle <= left || middle >= right) return middle;
    if (stillBelow(middle)) left = middle;
    else right = middle;
  }
}

function requireProbability(probability: number): void {
  if (!(probability > 0 && probability < 1)) {
    throw new RangeError(`a probability between 0 and 1 is required, got ${probability}`);
  }
}

function requireDegrees(degrees: number): void {
  if (!Number.isInteger(degrees) || degrees < 1) {
    throw new RangeError(`a whole number of degrees of freedom is required, got ${degrees}`);
  }
}
