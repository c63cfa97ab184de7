/** The option of every command that trains. */
import { devices } from "../runtime/device.js";
import { choice } from "./options.js";

export const deviceOption = choice(
  "DEVICE",
  devices,
  "what computes the steps (default: cpu; docs/devices.md says what the others need)",
);
