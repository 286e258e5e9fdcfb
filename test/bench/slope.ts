// Whether something grows: the straight line through samples, by least squares.

export interface Sample {
  /** Hours since the start. */
  readonly hour: number;
  readonly value: number;
}

/** Growth per hour. NaN for fewer than two samples. */
export function slopeOf(samples: readonly Sample[]): number {
  const meanOf = (pick: (sample: Sample) => number): number =>
    samples.reduce((sum, sample) => sum + pick(sample), 0) / samples.length;
  const [hour, value] = [meanOf((sample) => sample.hour), meanOf((sample) => sample.value)];
  const [above, below] = [
    meanOf((sample) => (sample.hour - hour) * (sample.value - value)),
    meanOf((sample) => (sample.hour - hour) ** 2),
  ];
  return above / below;
}
