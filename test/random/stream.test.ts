import { expect, test } from "vitest";
import { RandomStream } from "../../src/random/stream.js";

const count = 100_000;

function draw(length: number, next: () => number): number[] {
  return Array.from({ length }, next);
}

function correlation(first: number[], second: number[]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [firstMean, secondMean] = [mean(first), mean(second)];
  let product = 0;
  let firstSquares = 0;
  let secondSquares = 0;
  for (let index = 0; index < first.length; index++) {
    const a = first[index] - firstMean;
    const b = second[index] - secondMean;
    product += a * b;
    firstSquares += a * a;
    secondSquares += b * b;
  }
  return product / Math.sqrt(firstSquares * secondSquares);
}

/** Pearson's χ² of the counts of `values`, whole numbers below `cells`, against equal chances. */
function chiSquare(values: number[], cells: number): number {
  const expected = values.length / cells;
  const counts = new Array<number>(cells).fill(0);
  for (const value of values) counts[value]++;
  return counts.reduce((sum, found) => sum + (found - expected) ** 2 / expected, 0);
}

// Results on users' machines depend on these numbers: a change here changes every seed's meaning.
test("the first values never change", () => {
  const stream = new RandomStream(0, "weights/conv1.weight");
  expect(draw(4, () => stream.uint32())).toEqual([2497965699, 1670304092, 2400950345, 2501770667]);
  const other = new RandomStream(-7, "order", 3);
  expect(draw(3, () => other.normal())).toEqual([-1.279038991517986, 0.717717345670766, 3.0638921280746914]);
  expect(other.uniform()).toEqual(0.5058295393828303);
  expect([...new RandomStream(1, "order").permutation(8)]).toEqual([0, 4, 5, 6, 3, 2, 7, 1]);
  expect([...new RandomStream(1, "order").sample(1000, 4)]).toEqual([881, 699, 230, 874]);
});

test("the same address gives the same numbers, another seed, purpose or index others", () => {
  const first = (...address: ConstructorParameters<typeof RandomStream>) => {
    const stream = new RandomStream(...address);
    return draw(4, () => stream.uint32());
  };
  expect(first(5, "noise", 2)).toEqual(first(5, "noise", 2));
  expect(first(5, "noise")).toEqual(first(5, "noise", 0));
  const others = [
    first(6, "noise", 2),
    first(5, "order", 2),
    first(5, "noise", 3),
    first(52, "noise"),
    first(5, "noise2"),
  ];
  const firstValues = [first(5, "noise", 2), ...others].map(([value]) => value);
  expect(new Set(firstValues).size).toBe(6);
});

test("drawing from one stream leaves others alone", () => {
  const alone = new RandomStream(1, "noise");
  const expected = draw(10, () => alone.normal());
  const noise = new RandomStream(1, "noise");
  const order = new RandomStream(1, "order");
  expect(draw(10, () => [noise.normal(), order.normal()][0])).toEqual(expected);
});

test.each<[string, RandomStream, RandomStream]>([
  ["purposes", new RandomStream(1, "noise"), new RandomStream(1, "order")],
  ["neighbouring seeds", new RandomStream(1, "noise"), new RandomStream(2, "noise")],
  ["neighbouring indices", new RandomStream(1, "noise", 1), new RandomStream(1, "noise", 2)],
])("%s are not correlated", (_, first, second) => {
  const a = draw(count, () => first.uniform());
  const b = draw(count, () => second.uniform());
  expect(Math.abs(correlation(a, b))).toBeLessThan(5 / Math.sqrt(count));
});

test("the first values over many addresses are uniform and not correlated with their neighbours", () => {
  const firsts = draw(20_000, () => 0).map((_, index) => new RandomStream(1, "step", index).uniform());
  // 99.99 % of χ² with 99 degrees of freedom lie below 161.
  expect(
    chiSquare(
      firsts.map((value) => Math.floor(value * 100)),
      100,
    ),
  ).toBeLessThan(161);
  expect(Math.abs(correlation(firsts.slice(1), firsts.slice(0, -1)))).toBeLessThan(5 / Math.sqrt(20_000));
});

test("uniform values fill [0, 1) evenly, without serial correlation", () => {
  const stream = new RandomStream(3, "uniform");
  const values = draw(count, () => stream.uniform());
  expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
  expect(
    chiSquare(
      values.map((value) => Math.floor(value * 100)),
      100,
    ),
  ).toBeLessThan(161);
  expect(Math.abs(correlation(values.slice(1), values.slice(0, -1)))).toBeLessThan(5 / Math.sqrt(count));
});

test("normal values have the moments and tails of the standard normal distribution", () => {
  const stream = new RandomStream(3, "normal");
  const values = draw(count, () => stream.normal());
  const moment = (power: number) => values.reduce((sum, value) => sum + value ** power, 0) / count;
  // Five standard errors: the variances of these moments are 1, 2, 15 and 96.
  const near = (power: number, expected: number, variance: number) =>
    expect(Math.abs(moment(power) - expected)).toBeLessThan(5 * Math.sqrt(variance / count));
  near(1, 0, 1);
  near(2, 1, 2);
  near(3, 0, 15);
  near(4, 3, 96);
  const beyond = values.filter((value) => Math.abs(value) > 1.959964).length / count;
  expect(Math.abs(beyond - 0.05)).toBeLessThan(5 * Math.sqrt((0.05 * 0.95) / count));
  // The polar method draws in pairs.
  expect(Math.abs(correlation(values.slice(1), values.slice(0, -1)))).toBeLessThan(5 / Math.sqrt(count));
});

test("below is even and stays below, also where the limit does not divide 2³²", () => {
  const stream = new RandomStream(3, "below");
  const values = draw(count, () => stream.below(7));
  // 99.99 % of χ² with 6 degrees of freedom lie below 28.
  expect(chiSquare(values, 7)).toBeLessThan(28);
  // Taking 2³² modulo this limit would give values below 2³⁰ twice the chance: a half instead of a third.
  const limit = 3 * 2 ** 30;
  const small = draw(count, () => stream.below(limit)).filter((value) => value < 2 ** 30).length / count;
  expect(Math.abs(small - 1 / 3)).toBeLessThan(5 * Math.sqrt(2 / 9 / count));
  expect(stream.below(1)).toBe(0);
  expect(stream.below(2 ** 32)).toBeLessThan(2 ** 32);
});

test.each([0, -1, 2.5, 2 ** 33, Number.NaN])("below refuses the limit %d rather than to search for ever", (limit) => {
  expect(() => new RandomStream(0, "below").below(limit)).toThrow(RangeError);
});

test("a permutation has every number once, and every order the same chance", () => {
  const stream = new RandomStream(3, "permutation");
  expect([...stream.permutation(1000)].sort((a, b) => a - b)).toEqual([...new Array(1000).keys()]);
  expect(stream.permutation(0)).toHaveLength(0);
  expect([...stream.permutation(1)]).toEqual([0]);
  const orders = ["012", "021", "102", "120", "201", "210"];
  const drawn = draw(30_000, () => orders.indexOf(stream.permutation(3).join("")));
  expect(chiSquare(drawn, 6)).toBeLessThan(26);
});

test("a sample has different numbers, every ordered pick the same chance, and no more than there are", () => {
  const stream = new RandomStream(3, "sample");
  expect([...stream.sample(1000, 1000)].sort((a, b) => a - b)).toEqual([...new Array(1000).keys()]);
  expect(stream.sample(3, 10)).toHaveLength(3);
  expect(stream.sample(0, 5)).toHaveLength(0);
  const picks = [...new Array(4).keys()].flatMap((a) => [...new Array(4).keys()].map((b) => `${a}${b}`));
  const different = picks.filter(([a, b]) => a !== b);
  const drawn = draw(30_000, () => different.indexOf(stream.sample(4, 2).join("")));
  // 99.99 % of χ² with 11 degrees of freedom lie below 38.
  expect(chiSquare(drawn, 12)).toBeLessThan(38);
  expect(Math.max(...stream.sample(2 ** 31, 100))).toBeGreaterThan(2 ** 30);
});
