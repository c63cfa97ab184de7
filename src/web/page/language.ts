/** The page's language: a text by key, with its values put in; numbers and durations as the language writes them. */
import { useSyncExternalStore } from "preact/compat";
import type { ErrorAnswer } from "../protocol.js";
import { en, type Texts } from "./texts/en.js";
import { ko, koOptions } from "./texts/ko.js";
import { koRefusals } from "./texts/ko-refusals.js";

/** The page's languages, each by its own name. */
export const languages = { en: "English", ko: "한국어" } as const;
export type Language = keyof typeof languages;

const texts: Readonly<Record<Language, Texts>> = { en, ko };
const listeners = new Set<() => void>();
let current: Language = firstLanguage();

function firstLanguage(): Language {
  const kept = localStorage.getItem("language");
  if (kept === "en" || kept === "ko") return kept;
  return navigator.language.startsWith("ko") ? "ko" : "en";
}

/** Shows the page in another language, now and the next time that it is opened. */
export function setLanguage(language: Language): void {
  current = language;
  localStorage.setItem("language", language);
  document.documentElement.lang = language;
  for (const listener of listeners) listener();
}
document.documentElement.lang = current;

/** The language, in a component that changes with it. */
export function useLanguage(): Language {
  return useSyncExternalStore(
    (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current,
  );
}

/** A text with {names} replaced by values. */
export function say(key: keyof Texts, values: Readonly<Record<string, string | number>> = {}): string {
  return filled(texts[current][key], values);
}

function filled(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** A text that may not exist, such as that of a metric that a later version records. */
export function sayOr(key: string, otherwise: string, values: Readonly<Record<string, string | number>> = {}): string {
  return has(key) ? say(key, values) : otherwise;
}

/** Whether there is such a text. */
export function has(key: string): key is keyof Texts {
  return Object.hasOwn(texts[current], key);
}

/** An option's description in the page's language, else as the command has it; the key is `command.option`. */
export function optionText(key: string, description: string): string {
  if (current === "en") return description;
  return koOptions[key] ?? koOptions[key.replace(/^\w+\./, "")] ?? description;
}

/** Why something was refused: in the page's language where the server itself refuses it, else in the command's own words. */
export function refusalText({ error, refusal }: ErrorAnswer): string {
  if (current === "en" || refusal === undefined || !Object.hasOwn(koRefusals, refusal.kind)) return error;
  return filled(koRefusals[refusal.kind], refusal.values);
}

/** Four significant digits. */
export function number(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e7)) return value.toExponential(2);
  return value.toLocaleString(current, { maximumSignificantDigits: Number.isInteger(value) ? 12 : 4 });
}

/** A share from 0 to 1 as a percentage with one decimal. */
export function percent(value: number): string {
  return `${(100 * value).toLocaleString(current, { maximumFractionDigits: 1, minimumFractionDigits: 1 })}\u00a0%`;
}

/** A number of bytes in the largest binary unit of which there is at least one. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  const power = Math.min(3, value < 1 ? 0 : Math.floor(Math.log2(value) / 10));
  return `${(value / 1024 ** power).toLocaleString(current, { maximumFractionDigits: power === 0 ? 0 : 1 })} ${units[power]}`;
}

/** Seconds as seconds, minutes and seconds, or hours and minutes. */
export function duration(seconds: number): string {
  const style = (value: number, unit: "second" | "minute" | "hour"): string =>
    value.toLocaleString(current, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 0 });
  if (seconds < 60) return style(Math.max(1, seconds), "second");
  if (seconds < 3600) return `${style(Math.floor(seconds / 60), "minute")} ${style(seconds % 60, "second")}`;
  return `${style(Math.floor(seconds / 3600), "hour")} ${style((seconds % 3600) / 60, "minute")}`;
}
