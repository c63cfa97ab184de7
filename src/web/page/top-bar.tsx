/** What stands above everything: the name, the way to the beginning, language and colours. */
import { useEffect, useState } from "preact/hooks";
import { type Language, languages, say, setLanguage, useLanguage } from "./language.js";

export function TopBar() {
  return (
    <header class="top">
      <a class="brand" href="#/">
        <svg width="26" height="26" viewBox="0 0 32 32" aria-hidden="true">
          <rect width="32" height="32" rx="8" class="brand-tile" />
          <path d="M6 23 L13 9 L18 18 L26 7" class="brand-line" />
        </svg>
        {say("title")}
      </a>
      <span class="space" />
      <LanguageChoice />
      <ThemeChoice />
    </header>
  );
}

function LanguageChoice() {
  const language = useLanguage();
  return (
    <label>
      <span class="hidden">{say("language")}</span>
      <select value={language} onChange={(event) => setLanguage(event.currentTarget.value as Language)}>
        {Object.entries(languages).map(([code, name]) => (
          <option key={code} value={code} lang={code}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

const themes = ["system", "light", "dark"] as const;

function ThemeChoice() {
  const [theme, setTheme] = useState(() => localStorage.getItem("theme") ?? "system");
  useEffect(() => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
  }, [theme]);
  return (
    <label>
      <span class="hidden">{say("theme")}</span>
      <select value={theme} onChange={(event) => setTheme(event.currentTarget.value)}>
        {themes.map((name) => (
          <option key={name} value={name}>
            {say(`theme.${name}`)}
          </option>
        ))}
      </select>
    </label>
  );
}
