/** What training graphs are fed with. */

/** Names of the tensors that the loop of pretraining feeds besides the optimisers' scalars. */
export const feedNames = {
  /** Real samples. */
  samples: "samples",
  /** What G and the tasks of samples see, where the recipe corrupts it. */
  corrupted: "corrupted",
  /** 1 where a value was swapped, else 0; the samples' shape. */
  swapped: "swapped",
  /** Turned samples for the rotation task where there are no views, and the turns of samples or views as one-hot rows. */
  rotated: "rotated",
  turns: "turns",
  /** The directions of edges, and visual words, of the samples that are not turned: [batch or batch / turns, numbers]. */
  orientations: "orientations",
  visualWords: "visual-words",
  /** The topics of samples as they are: [batch, numbers]. */
  topics: "topics",
  /** Each sample's group in each grouping, as one-hot rows: [batch × groupings, groups]. */
  clusters: "clusters",
  /** Two views of the samples. */
  firstView: "view/first",
  secondView: "view/second",
  /** Instance noise for D, already scaled. */
  realNoise: "noise/real",
  fakeNoise: "noise/fake",
  /** Where between real and generated the gradient penalty is taken: [batch, 1, ...]. */
  mixture: "mixture",
} as const;

/** samples: [batch, ...sample shape]; targets: as the loss has them, see {@link SupervisedLoss}. */
export const supervisedFeedNames = { samples: "samples", targets: "targets" } as const;
