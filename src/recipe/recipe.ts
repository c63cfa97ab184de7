/** Recipes: how G and D are trained and what is done to F's weights afterwards, as data. */
import { z } from "zod";
import { UserError } from "../errors.js";
import { parseInitializer } from "../initializers/initializers.js";
import { nearest } from "../nearest.js";
import { recipeComplaint } from "./recipe-complaint.js";

const fraction = z.number().min(0).max(1);
const weight = z.number().min(0);
/** Far more than any step gains from, and few enough that buffers of them can be made. */
export const mostSamplesAStep = 65536;

const hiddenUnits = z.number().int().min(0).max(65536).default(0);

const optimizerSchema = z.strictObject({
  kind: z.enum(["sgd", "adam", "adamw"]).default("adam"),
  learningRate: z.number().positive().default(1e-3),
  /** SGD's momentum, or Adam's decay of the first moment (β₁). */
  momentum: z.number().min(0).max(0.9999).default(0.9),
  /** Adam's decay of the second moment (β₂). */
  secondMoment: z.number().min(0).max(0.99999).default(0.999),
  epsilon: z.number().positive().default(1e-8),
  /** AdamW: decoupled; SGD and Adam: added to the gradient. */
  weightDecay: z.number().min(0).default(0),
});

/** Settings of an optimiser. */
export type OptimizerSettings = z.infer<typeof optimizerSchema>;

const recipeSchema = z.strictObject({
  name: z.string().default("custom"),
  /** The built-in recipe that takes this one's place where the data are square pictures, see recipeForData; null: none does. */
  squarePictures: z.string().nullable().default(null),
  /** The same for pictures of any kind where F has dense layers and no convolutions; goes before squarePictures. */
  densePictures: z.string().nullable().default(null),
  /** The same for square pictures in colour where F has depthwise convolutions; goes before squarePictures. */
  depthwisePictures: z.string().nullable().default(null),
  /** The same where samples are tokens, integers by which F looks vectors up. */
  tokens: z.string().nullable().default(null),
  adversarial: z
    .strictObject({
      /**
       * minimax and non-saturating: Goodfellow et al., 2014; least-squares: Mao et al., 2017; hinge: Lim and Ye, 2017;
       * wasserstein: Arjovsky et al., 2017; relativistic: Jolicoeur-Martineau, 2018, in pairs of x and G(x).
       */
      loss: z
        .enum(["minimax", "non-saturating", "least-squares", "hinge", "wasserstein", "relativistic"])
        .default("relativistic"),
      weight: weight.default(0),
      /** R1 (on real samples) and R2 (on generated ones): γ/2 · E‖∇D‖² (Mescheder et al., 2018). */
      r1: weight.default(0),
      r2: weight.default(0),
      /** λ · E(‖∇D‖ − 1)² between real and generated samples (Gulrajani et al., 2017). */
      gradientPenalty: weight.default(0),
      /** Standard deviation of the Gaussian noise on what D sees, at the start; falls linearly to nothing. */
      instanceNoise: weight.default(0),
    })
    .prefault({}),
  reconstruction: z.strictObject({ loss: z.enum(["l2", "l1"]).default("l2"), weight: weight.default(0) }).prefault({}),
  corruption: z
    .strictObject({
      kind: z
        .enum(["none", "gaussian", "masked-pixels", "masked-patches", "swapped-values", "shifted"])
        .default("none"),
      /**
       * Standard deviation of the noise, the share of what is masked or swapped, or the largest shift of a picture or signal
       * as a share of its side.
       */
      amount: weight.default(0),
    })
    .prefault({}),
  selfSupervision: z
    .strictObject({
      /** auto: rotation for pictures, swapped-values for tables and vectors, none otherwise. */
      task: z.enum(["auto", "none", "rotation", "swapped-values", "clusters"]).default("none"),
      weight: weight.default(0),
      /**
       * The task clusters asks which of so many groups of like samples one belongs to, in each of several groupings
       * (Caron et al., 2018, with groups that are found once, of edges' directions in place of F's own features).
       */
      clusters: z.number().int().min(2).max(10_000).default(200),
      groupings: z.number().int().min(1).max(16).default(4),
      /** Hidden ReLU units between F's features and the task's answers; 0: a linear layer. */
      hidden: hiddenUnits,
      /**
       * The rotation task asks for all turns of a sample in one step, so that a batch of 128 holds 32 samples in each of
       * four turns (Gidaris et al., 2018, section 3.1); false: each sample of a batch is turned once, by chance.
       */
      allTurns: z.boolean().default(false),
    })
    .prefault({}),
  /**
   * From the features of pictures, those that are not turned where the task is rotation of all turns, a linear layer tells
   * the directions of their edges, histograms of oriented gradients (Wei et al., 2022, MaskFeat), by mean squared error.
   */
  orientations: z.strictObject({ weight: weight.default(0) }).prefault({}),
  /**
   * The same of which small patches occur where: a picture as a bag of visual words (Gidaris et al., 2020), which are patches
   * of other pictures (Coates and Ng, 2011).
   */
  visualWords: z.strictObject({ weight: weight.default(0) }).prefault({}),
  /** The same of samples of tokens: which topics a text has, by latent semantic analysis (Deerwester et al., 1990). */
  topics: z.strictObject({ weight: weight.default(0) }).prefault({}),
  /**
   * A second task for F: to know two views of one sample for the same among all views of the batch (Chen et al., 2020,
   * SimCLR). Views of pictures are shifted, flipped, and changed in brightness and contrast; those of signals, which a
   * convolution or a recurrent layer reads position by position, are moved along their positions, magnified, and changed
   * in size and level; those of other data have values swapped between samples.
   */
  contrast: z
    .strictObject({
      weight: weight.default(0),
      temperature: z.number().positive().default(0.5),
      /** Hidden ReLU units between F's features and the space in which views are compared; 0: a linear projection. */
      hidden: hiddenUnits,
      /** Pictures and signals: largest shift as a share of the side. */
      shift: fraction.default(0.125),
      /**
       * Pictures and signals: views are magnified, so that they show a part whose sides are down to 1 − this of the whole.
       * auto: 0.5 for signals and pictures in colour, 0 for grey ones, as was measured to help (docs/log.md).
       */
      zoom: z.union([z.number().min(0).max(0.9), z.literal("auto")]).default(0),
      /** Pictures: left and right are exchanged in half of the views. */
      flip: z.boolean().default(true),
      /**
       * Pictures, and signals of one channel: contrast (size) is multiplied by up to 1 ± this, brightness (level) moved by
       * up to ± this (in standard deviations).
       */
      jitter: fraction.default(0.4),
      /** Pictures and signals: the same for each of several channels by itself, which changes colours. */
      colour: fraction.default(0),
      /** Other data: share of the values that come from another sample. */
      swap: fraction.default(0.3),
    })
    .prefault({}),
  mirror: z
    .strictObject({
      /** The mirror uses F's own weights, transposed. */
      tied: z.boolean().default(false),
      /** auto: sigmoid for data in [0, 1], tanh for [-1, 1], none otherwise. */
      lastActivation: z.enum(["auto", "none", "sigmoid", "tanh"]).default("auto"),
    })
    .prefault({}),
  generatorOptimizer: optimizerSchema.prefault({}),
  discriminatorOptimizer: optimizerSchema.prefault({}),
  /** alternating: G's loss sees the D that this step made (Goodfellow et al., 2014, algorithm 1); simultaneous: the old one. */
  update: z.enum(["alternating", "simultaneous"]).default("alternating"),
  schedule: z
    .strictObject({
      kind: z.enum(["constant", "cosine"]).default("constant"),
      /** Share of all steps in which the learning rate rises linearly from nothing. */
      warmUp: fraction.default(0),
    })
    .prefault({}),
  /** Largest norm of all gradients of G (and of D) together; 0: no limit. */
  gradientClip: weight.default(0),
  /** Decay of the moving average of F's weights that is handed out; 0: the last weights. */
  movingAverage: z.number().min(0).max(0.99999).default(0),
  /**
   * "file": as the model has them; else an initializer's name. auto: PyTorch's where F has three layers at most, from whose
   * small weights they were measured to learn more (docs/log.md), else He's, as deeper ones lose the signal by small weights.
   */
  start: z.string().default("he"),
  /**
   * F's convolutions start from the principal components of the patches that they read (Krähenbühl et al., 2016), not from
   * `start`, unless that is the model's file; first: where F begins with a convolution, this one alone; auto: all where F has
   * depthwise convolutions over two axes, to which it was measured to bring more, else the first. F's embeddings start from
   * the principal components of which tokens stand near each other (Levy and Goldberg, 2014), unless this is none.
   */
  principalComponents: z.enum(["none", "auto", "first", "all"]).default("none"),
  /**
   * F is conditioned before training too, with the settings for drawn heads: where a start lets no signal through, as in deep
   * saturating networks, no loss teaches it anything. auto: where F has saturating activations (sigmoid, tanh).
   */
  conditionStart: z.union([z.boolean(), z.literal("auto")]).default(false),
  conditioning: z
    .strictObject({
      /**
       * W = U S Vᵀ becomes U (S / max S)^α Vᵀ; null leaves the spectrum. auto: α = 0 before saturating activations
       * (sigmoid, tanh), where flat spectra were measured to help, and as it is elsewhere, where they were not.
       */
      spectrumExponent: z
        .union([fraction, z.literal("auto")])
        .nullable()
        .default(null),
      /**
       * Pre-activations get unit standard deviation and zero mean per unit or per layer; auto: per layer for tables with
       * one-hot columns, whose rare units a scale of their own would blow up, else per unit; none: weights as they are.
       */
      scale: z.enum(["auto", "none", "unit", "layer"]).default("none"),
      /**
       * The mean that pre-activations get in front of ReLU and its like, in their standard deviations: units that are open for
       * nearly all samples let a deep network begin almost linear. auto: 2, with a size of 0.2, for chains of eight and more dense
       * layers, which do not learn from few labels otherwise, and 0 elsewhere. Absent: 0.
       */
      openness: z.union([z.number().min(0).max(10), z.literal("auto")]).optional(),
      /**
       * Where F is a chain of layers with ReLU-like activations: F's features are so many times as large, by the first layer's
       * weights and all biases, whatever the head starts from. Absent: 1.
       */
      size: z.number().positive().max(1000).optional(),
      samples: z.number().int().min(2).max(100000).default(512),
      /**
       * Where the head starts from labels and F is a chain of layers with ReLU-like activations: F's features are so many
       * times as large, by the first layer's weights and all biases. Training with Adam, whose steps do not follow the weights'
       * size, then changes that layer less. (Features so large are too much for a drawn head.) Absent: 1.
       */
      gain: z.number().positive().max(1000).optional(),
      /**
       * Where the head starts from labels F's weights stay as they were trained, but for the gain: what is scaled and opened
       * is for drawn heads alone. Absent: false.
       */
      drawnHeadsOnly: z.boolean().optional(),
    })
    .prefault({}),
  batchSize: z.number().int().min(2).max(mostSamplesAStep).default(128),
  /**
   * Samples of each batch that go through G and D; null: all. Fewer make a step cheaper where other tasks teach F.
   * The task swapped-values, which reads what G reads, always has all.
   */
  generatorBatchSize: z.number().int().min(2).nullable().default(null),
  epochs: z.number().positive().default(3),
  /** Small data are gone through as often as these steps take. */
  minimumSteps: z.number().int().min(0).default(0),
});

/** The keys of recipes that take a recipe's place on other data, see recipeForData. */
export const substitutes = ["squarePictures", "densePictures", "depthwisePictures", "tokens"] as const;

/** A recipe with everything filled in. */
export type Recipe = z.infer<typeof recipeSchema>;

/** What a recipe's author writes; the rest has defaults. */
export type RecipeInput = z.input<typeof recipeSchema>;

/** How units are opened, and how large features then are, as was measured on tables (docs/log.md). */
export const openedUnits = { openness: 2, size: 0.2 } as const;
const conditioned = { spectrumExponent: "auto", scale: "auto", openness: "auto" } as const;
/** Adam as is usual for GANs (Radford et al., 2016). */
const ganOptimizer = { kind: "adam", learningRate: 2e-4, momentum: 0.5 } as const;

/**
 * The game together with reconstruction and the contrast task, see docs/log.md. G and D see an eighth of each batch: more
 * took time and brought no accuracy that could be measured.
 */
const contrast = {
  adversarial: { loss: "relativistic", weight: 0.1, instanceNoise: 0.1 },
  reconstruction: { loss: "l2", weight: 1 },
  contrast: { weight: 1, temperature: 0.2, zoom: "auto", colour: 0.4 },
  generatorOptimizer: { kind: "adam", learningRate: 3e-3 },
  discriminatorOptimizer: ganOptimizer,
  update: "simultaneous",
  schedule: { kind: "cosine", warmUp: 0.05 },
  gradientClip: 10,
  start: "auto",
  principalComponents: "auto",
  conditioning: conditioned,
  generatorBatchSize: 16,
  epochs: 2.5,
  minimumSteps: 800,
} as const;

/** How F learns what pictures show, where neither G nor D takes part. */
const byDescriptions = {
  principalComponents: "auto",
  generatorOptimizer: { kind: "adam", learningRate: 3e-3 },
  schedule: { kind: "cosine", warmUp: 0.05 },
  gradientClip: 10,
  conditioning: conditioned,
  epochs: 6,
  minimumSteps: 800,
} as const;

/** The recipes that come with headstart. */
export const builtInRecipes = {
  /** Exactly the paper: the GAN's loss alone, minimax, F's weights taken as they are. */
  paper: {
    adversarial: { loss: "minimax", weight: 1 },
    generatorOptimizer: ganOptimizer,
    discriminatorOptimizer: ganOptimizer,
  },
  /** The paper's game, held in balance, and conditioned. */
  adversarial: {
    adversarial: { loss: "relativistic", weight: 1, r1: 0.1, r2: 0.1, instanceNoise: 0.1 },
    generatorOptimizer: { ...ganOptimizer, learningRate: 5e-4 },
    discriminatorOptimizer: ganOptimizer,
    conditioning: { spectrumExponent: 0, scale: "auto" },
  },
  /** The mirror as a plain autoencoder. */
  autoencoder: {
    reconstruction: { loss: "l2", weight: 1 },
    conditioning: conditioned,
  },
  /**
   * The rotation task and the directions of edges, without G and D. On photographs better than anything else that was
   * measured (docs/log.md).
   */
  rotation: {
    selfSupervision: { task: "rotation", weight: 1, allTurns: true },
    orientations: { weight: 2 },
    ...byDescriptions,
  },
  /** The directions of edges and visual words, of pictures as they are: no turns, no G and D. */
  "visual-words": {
    orientations: { weight: 2 },
    visualWords: { weight: 2 },
    ...byDescriptions,
  },
  /**
   * The topics of texts, some of whose tokens come from others; for embeddings. Layers are not scaled on the data, which was
   * measured to cost accuracy behind embeddings; smaller features were measured to help (docs/log.md).
   */
  topics: {
    topics: { weight: 1 },
    corruption: { kind: "swapped-values", amount: 0.3 },
    start: "auto",
    principalComponents: "auto",
    generatorOptimizer: { kind: "adam", learningRate: 3e-3 },
    schedule: { kind: "cosine", warmUp: 0.05 },
    gradientClip: 10,
    conditioning: { size: 0.3 },
    epochs: 6,
    minimumSteps: 1600,
  },
  /** No training: the principal components of what each convolution reads, and conditioning. A matter of seconds. */
  "principal-components": {
    principalComponents: "all",
    conditioning: conditioned,
  },
  /**
   * No training: orthogonal weights, ReLU units open for nearly all samples, small features. For deep chains of dense layers,
   * which then begin almost linear. A matter of seconds.
   */
  opened: {
    start: "orthogonal",
    conditioning: { ...conditioned, ...openedUnits },
  },
  /**
   * The clusters task alone, on slightly shifted pictures: for networks without convolutions, which no other task was seen to
   * help. F's weights are not scaled on the data where the head starts from labels, which was measured to cost a point there.
   */
  clusters: {
    selfSupervision: { task: "clusters", weight: 1, clusters: 100 },
    corruption: { kind: "shifted", amount: 0.04 },
    generatorOptimizer: { kind: "adam", learningRate: 3e-3 },
    schedule: { kind: "cosine", warmUp: 0.05 },
    gradientClip: 10,
    conditionStart: "auto",
    conditioning: { ...conditioned, drawnHeadsOnly: true, gain: 2 },
    epochs: 5,
    minimumSteps: 800,
  },
  /** The game together with reconstruction and the contrast task, on whatever data. */
  contrast,
  /**
   * What was measured to help most: on pictures clusters under dense layers, visual words under depthwise convolutions, and else
   * rotation; topics on tokens, and contrast on other data.
   */
  default: {
    ...contrast,
    densePictures: "clusters",
    squarePictures: "rotation",
    depthwisePictures: "visual-words",
    tokens: "topics",
  },
} as const satisfies Record<string, RecipeInput>;

/**
 * A recipe from what a JSON file (or the library's caller) says.
 *
 * @param input an object of a recipe's keys; missing ones get defaults
 * @param where the file or option, for messages
 * @throws UserError naming the key, what it takes, and for an unknown key the nearest known one
 */
export function parseRecipe(input: unknown, where: string): Recipe {
  const result = recipeSchema.safeParse(input);
  if (!result.success) throw recipeComplaint(result.error.issues[0], input, recipeSchema.parse({}), where);
  const recipe = result.data;
  if (recipe.start !== "file" && recipe.start !== "auto") parseInitializer(recipe.start);
  for (const key of substitutes) {
    const other = recipe[key];
    if (other !== null) requireKnown(`${where}: ${key}`, other);
  }
  const { task, allTurns, weight } = recipe.selfSupervision;
  const isOfTurns = (task === "rotation" || task === "auto") && weight > 0;
  const isPlain = recipe.contrast.weight === 0 && (allTurns || !isOfTurns);
  for (const key of pictureDescriptions)
    if (recipe[key].weight > 0 && !isPlain)
      throw new UserError(
        `${where}: ${key}.weight: required pictures that are told as they are, so no contrast, and of the task rotation all turns, got another recipe. Set contrast.weight to 0 and selfSupervision.allTurns to true, or ${key}.weight to 0.`,
      );
  const { spectrumExponent, scale } = recipe.conditioning;
  const isOnlyDrawn = recipe.principalComponents === "none" && spectrumExponent === null && scale === "none";
  if (!trainsFeatures(recipe) && isOnlyDrawn)
    throw new UserError(
      `${where}: required a loss with a weight above 0 (adversarial, reconstruction, selfSupervision, orientations, visualWords, topics or contrast), or principalComponents or conditioning without one, got none. Give one a weight.`,
    );
  return recipe;
}

/** Whether a recipe has a loss that F is trained with. Otherwise F's start is conditioned and that is all: no steps. */
export function trainsFeatures(recipe: Recipe): boolean {
  const { adversarial, reconstruction, selfSupervision, contrast } = recipe;
  return (
    adversarial.weight > 0 ||
    reconstruction.weight > 0 ||
    (selfSupervision.weight > 0 && selfSupervision.task !== "none") ||
    describesSamples(recipe) ||
    contrast.weight > 0
  );
}

/** What of pictures F can be asked to tell by numbers, */
const pictureDescriptions = ["orientations", "visualWords"] as const;
/** and of samples of any kind. */
export const descriptions = [...pictureDescriptions, "topics"] as const;

/** Whether F is asked to describe pictures by numbers. */
export function describesPictures(recipe: Recipe): boolean {
  return pictureDescriptions.some((key) => recipe[key].weight > 0);
}

/** Whether F is asked to describe samples of any kind so. */
export function describesSamples(recipe: Recipe): boolean {
  return descriptions.some((key) => recipe[key].weight > 0);
}

/** A built-in recipe by name. @throws UserError naming the nearest known one. */
export function builtInRecipe(name: string): Recipe {
  requireKnown("--recipe", name, " or a JSON file");
  return parseRecipe({ name, ...builtInRecipes[name as keyof typeof builtInRecipes] }, `recipe ${name}`);
}

function requireKnown(where: string, name: string, others = ""): void {
  if (Object.hasOwn(builtInRecipes, name)) return;
  const names = Object.keys(builtInRecipes);
  const close = nearest(name, names);
  throw new UserError(
    `${where}: required one of ${names.join(", ")}${others}, got ${name}. ${close ? `Did you mean ${close}?` : "Choose one of them."}`,
  );
}
