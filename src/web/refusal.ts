import { type Complaint, UserError, userError } from "../errors.js";
import type { RefusalKind, RefusalWords } from "./protocol.js";

/** What the lab's server itself refuses, for a page that says so in its own language. */
export class Refusal extends UserError {
  readonly words: RefusalWords;

  private constructor(message: string, words: RefusalWords) {
    super(message);
    this.words = words;
  }

  /** @param values what the page puts into its words, beside where it is */
  static of(kind: RefusalKind, complaint: Complaint, values: RefusalWords["values"] = {}): Refusal {
    return new Refusal(userError(complaint).message, { kind, values: { where: complaint.where, ...values } });
  }

  /** The same, of the value of an option or of the model. */
  named(flag: string): Refusal {
    const { kind, values } = this.words;
    return new Refusal(`${flag}: ${this.message}`, { kind, values: { ...values, where: `${flag}: ${values.where}` } });
  }
}
