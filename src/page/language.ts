/**
 * The language of the page: the browser's, unless somebody chose; and dates, numbers and lengths as that language writes
 * them. A dictionary is one object for each language, the German one typed by the English one, so that a word that is
 * missing does not compile.
 */
import { remember, remembered, Store, useStore } from './store.ts'

export const languages = ['en', 'de'] as const
export type Language = (typeof languages)[number]
export type Dictionary<Words> = Readonly<Record<Language, Words>>

const language = new Store<Language>(chosenOrOfBrowser())
language.watch(apply)
apply()

export function useLanguage(): { readonly language: Language; choose(language: Language): void } {
  return { language: useStore(language), choose }
}

export function useWords<Words>(dictionary: Dictionary<Words>): Words {
  return dictionary[useStore(language)]
}

export function useFormats(): Formats {
  return formats[useStore(language)]
}

/** How this language writes what the API gives as numbers: epoch ms, ms, bytes. */
export class Formats {
  readonly #number: Intl.NumberFormat
  readonly #short: Intl.NumberFormat
  readonly #little: Intl.NumberFormat
  readonly #instant: Intl.DateTimeFormat
  readonly #time: Intl.DateTimeFormat
  readonly #day: Intl.DateTimeFormat
  readonly #relative: Intl.RelativeTimeFormat
  readonly #list: Intl.ListFormat
  readonly #locale: string

  constructor(locale: string) {
    this.#locale = locale
    this.#number = new Intl.NumberFormat(locale)
    this.#short = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 })
    this.#little = new Intl.NumberFormat(locale, { maximumSignificantDigits: 1 })
    this.#instant = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' })
    this.#time = new Intl.DateTimeFormat(locale, { timeStyle: 'medium' })
    this.#day = new Intl.DateTimeFormat(locale, { dateStyle: 'medium' })
    this.#relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'long' })
    this.#list = new Intl.ListFormat(locale, { type: 'conjunction' })
  }

  number(value: number): string {
    return this.#number.format(value)
  }

  instant(at: number): string {
    return this.#instant.format(at)
  }

  time(at: number): string {
    return this.#time.format(at)
  }

  day(at: number): string {
    return this.#day.format(at)
  }

  list(values: readonly string[]): string {
    return this.#list.format(values)
  }

  /** `in 4 minutes`, `2 days ago`. */
  relative(at: number, now: number): string {
    const { value, unit } = inUnit(Math.round((at - now) / 1000) * 1000)
    return this.#relative.format(Math.round(value), unit)
  }

  /** `4.2 sec`, `3 hr`. */
  duration(ms: number): string {
    if (Math.abs(ms) < 1000) return this.#unit(Math.round(ms), 'millisecond')
    const { value, unit } = inUnit(ms)
    return this.#unit(value, unit)
  }

  /** Powers of 1024, as Exchange counts; `35 MB`. */
  bytes(bytes: number): string {
    const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const
    let value = bytes
    let unit = 0
    while (value >= 1024 && unit < units.length - 1) {
      value /= 1024
      unit++
    }
    return this.#unit(value, units[unit]!)
  }

  #unit(value: number, unit: string): string {
    const style = { style: 'unit', unit, unitDisplay: unit === 'byte' ? 'long' : 'short' } as const
    return new Intl.NumberFormat(this.#locale, { ...style, maximumFractionDigits: 1 }).format(value)
  }

  /** At most one decimal; but what is little is not written as nothing. */
  short(value: number): string {
    return (Math.abs(value) < 0.1 ? this.#little : this.#short).format(value)
  }
}

const spans = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const

function inUnit(ms: number): { value: number; unit: 'day' | 'hour' | 'minute' | 'second' } {
  for (const [unit, span] of spans) if (Math.abs(ms) >= span) return { value: ms / span, unit }
  return { value: ms / 1000, unit: 'second' }
}

const formats: Readonly<Record<Language, Formats>> = {
  en: new Formats(localeFor('en')),
  de: new Formats(localeFor('de')),
}

/** Somebody who reads British English wants its dates too. */
function localeFor(wanted: Language): string {
  return navigator.languages.find((locale) => isOf(locale, wanted)) ?? wanted
}

function chosenOrOfBrowser(): Language {
  const chosen = remembered('language')
  const known = (locale: string) => languages.find((one) => isOf(locale, one))
  const [ofBrowser] = navigator.languages.flatMap((locale) => known(locale) ?? [])
  return languages.find((one) => one === chosen) ?? ofBrowser ?? 'en'
}

/** `de-AT` is German. */
function isOf(locale: string, wanted: Language): boolean {
  return locale.split('-', 1)[0] === wanted
}

function choose(chosen: Language): void {
  remember('language', chosen)
  language.set(chosen)
}

function apply(): void {
  document.documentElement.lang = language.value
}
