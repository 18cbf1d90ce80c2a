/** The language of the page, and its texts. */

import { en, type MessageKey, type Messages } from "./en";
import { zh } from "./zh";

export type { MessageKey } from "./en";

export const LANGUAGES = { en: "English", zh: "中文" } as const;
export type Language = keyof typeof LANGUAGES;

const MESSAGES: Record<Language, Messages> = { en, zh };

/** A text in the chosen language; `{name}` in it becomes the value of that name. */
export type Translate = (key: MessageKey, values?: Record<string, string | number>) => string;

/** The first language that both the browser and the page know, else English. */
export function preferredLanguage(preferences: readonly string[]): Language {
  for (const preference of preferences) {
    const language = preference.toLowerCase().split("-")[0];
    if (language === "en" || language === "zh") return language;
  }
  return "en";
}

export function isLanguage(text: string | null): text is Language {
  return text !== null && text in LANGUAGES;
}

export function translator(language: Language): Translate {
  return (key, values = {}) =>
    MESSAGES[language][key].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}

/** The text of an error of this kind, as of `ApiError`. */
export function errorKey(kind: string): MessageKey {
  const key = `error.${kind}`;
  return key in en ? (key as MessageKey) : "error.unknown";
}

/** The name of a direction for people; expressions have its name as it is. */
export function directionName(t: Translate, name: string): string {
  const key = `direction.${name}`;
  return key in en ? t(key as MessageKey) : name;
}
