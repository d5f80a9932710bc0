/** A seeded stream of random numbers. The same seed and name give the same numbers on every machine. */
export interface Random {
  /** Whole number in [0, 2³²). */
  uint32(): number;
  /** Uniform in (0, 1), never 0 or 1. */
  uniform(): number;
  /** Whole number in [0, n), n ≤ 2³². */
  int(n: number): number;
  /** Standard normal. */
  normal(): number;
  /** Gamma with the given shape and scale 1. */
  gamma(shape: number): number;
  /** Poisson. */
  poisson(mean: number): number;
  /** Negative binomial with variance mean + dispersion · mean²; dispersion > 0. */
  negativeBinomial(mean: number, dispersion: number): number;
  /** Position drawn with probability proportional to the weights. */
  choice(weights: readonly number[]): number;
  /** Shuffles in place and returns the array. */
  shuffle<T>(values: T[]): T[];
}

/**
 * xoshiro128** (Blackman and Vigna, 2018) seeded by splitmix32 from a number and a stream name, so that drawing more
 * from one stream never shifts another.
 */
export function createRandom(seed: number, stream: string): Random {
  const uint32 = xoshiro(seed, stream);
  const uniform = (): number => (uint32() + 0.5) / 0x1_0000_0000;
  const normal = normalSampler(uniform);
  const gamma = (shape: number): number => sampleGamma(shape, uniform, normal);
  const poisson = (mean: number): number => samplePoisson(mean, uniform);
  const int = (n: number): number => Math.floor(uniform() * n);
  return {
    uint32,
    uniform,
    int,
    normal,
    gamma,
    poisson,
    negativeBinomial(mean, dispersion) {
      const size = 1 / dispersion;
      return mean > 30
        ? poisson(gamma(size) * mean * dispersion)
        : searchNegativeBinomial(mean, size, uniform());
    },
    choice(weights) {
      let left = uniform() * weights.reduce((sum, weight) => sum + weight, 0);
      for (let i = 0; i < weights.length - 1; i++) {
        left -= weights[i]!;
        if (left < 0) return i;
      }
      return weights.length - 1;
    },
    shuffle(values) {
      for (let i = values.length - 1; i > 0; i--) {
        const j = int(i + 1);
        [values[i], values[j]] = [values[j]!, values[i]!];
      }
      return values;
    },
  };
}

function xoshiro(seed: number, stream: string): () => number {
  let mix = Math.imul(seed ^ (seed / 0x1_0000_0000), 0x9e3779b1) >>> 0;
  for (let i = 0; i < stream.length; i++) mix = Math.imul(mix ^ stream.charCodeAt(i), 0x01000193) >>> 0;
  const splitmix = (): number => {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  let [a, b, c, d] = [splitmix(), splitmix(), splitmix(), splitmix()];
  return () => {
    const scrambled = Math.imul(b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result;
  };
}

/** Marsaglia's polar method; keeps the second number of each pair. */
function normalSampler(uniform: () => number): () => number {
  let spare = Number.NaN;
  return () => {
    if (!Number.isNaN(spare)) {
      const value = spare;
      spare = Number.NaN;
      return value;
    }
    for (;;) {
      const x = 2 * uniform() - 1;
      const y = 2 * uniform() - 1;
      const s = x * x + y * y;
      if (s >= 1 || s === 0) continue;
      const factor = Math.sqrt((-2 * Math.log(s)) / s);
      spare = y * factor;
      return x * factor;
    }
  };
}

/** Marsaglia and Tsang (2000); shapes below 1 by their boost. */
function sampleGamma(shape: number, uniform: () => number, normal: () => number): number {
  if (shape < 1) return sampleGamma(shape + 1, uniform, normal) * uniform() ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal();
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

function samplePoisson(mean: number, uniform: () => number): number {
  if (mean < 12) {
    let count = 0;
    for (let p = uniform(), limit = Math.exp(-mean); p > limit; p *= uniform()) count++;
    return count;
  }
  return poissonByRejection(mean, uniform);
}

/** PTRS: transformed rejection with squeeze (Hörmann 1993), for means of 10 and more. */
function poissonByRejection(mean: number, uniform: () => number): number {
  const b = 0.931 + 2.53 * Math.sqrt(mean);
  const a = -0.059 + 0.02483 * b;
  const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4);
  const squeeze = 0.9277 - 3.6224 / (b - 2);
  const logMean = Math.log(mean);
  for (;;) {
    const u = uniform() - 0.5;
    const v = uniform();
    const us = 0.5 - Math.abs(u);
    const k = Math.floor(((2 * a) / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= squeeze) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    if (Math.log((v * inverseAlpha) / (a / (us * us) + b)) <= k * logMean - mean - logFactorial(k)) return k;
  }
}

/** Stirling's series, shifted so that it is good to 1e-10 from 0 on. */
function logFactorial(k: number): number {
  let x = k + 1;
  let shift = 0;
  for (; x < 10; x++) shift += Math.log(x);
  const inverse = 1 / (x * x);
  const series = (1 / 12 - inverse * (1 / 360 - inverse / 1260)) / x;
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series - shift;
}

/** Inversion by walking up the probabilities: one uniform a draw, quick for the small means most genes have. */
function searchNegativeBinomial(mean: number, size: number, u: number): number {
  const share = mean / (mean + size);
  let probability = Math.exp(-size * Math.log1p(mean / size));
  let cumulative = probability;
  let count = 0;
  while (u > cumulative && probability > 0) {
    probability *= ((count + size) / (count + 1)) * share;
    cumulative += probability;
    count++;
  }
  return count;
}
