/** A rule as people read it, line by line; and as the text that is edited. Pure. */
import type { Formats } from '../language.ts'
import type { RuleWords } from './words-en.ts'

/** `subject contains`: `invoice`, `order`. */
export interface RuleLine {
  readonly label: string
  readonly values: readonly string[]
}

type Settings = Readonly<Record<string, unknown>>
interface Reading {
  readonly words: RuleWords
  readonly formats: Formats
}

export function conditionLines(conditions: unknown, { words, formats }: Reading): readonly RuleLine[] {
  return linesOf(conditions, words.conditions, formats)
}

export function actionLines(actions: unknown, { words, formats }: Reading): readonly RuleLine[] {
  return linesOf(actions, words.actions, formats)
}

/** Without what every rule has unless it says otherwise. */
export function ruleToEdit(rule: Settings): string {
  const standard: Settings = {
    enabled: true,
    mode: 'enforce',
    activeFrom: null,
    activeUntil: null,
    onError: 'defer',
    conditions: {},
    exceptions: {},
    stop: false,
  }
  const told = Object.entries(rule).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(standard[name]),
  )
  return JSON.stringify(Object.fromEntries(told), null, 2)
}

export function parseRule(text: string): { readonly rule: Settings } | { readonly error: string } {
  try {
    const rule: unknown = JSON.parse(text)
    if (typeof rule === 'object' && rule !== null && !Array.isArray(rule)) return { rule: rule as Settings }
    return { error: '{ … }' }
  } catch (error) {
    return { error: (error as Error).message }
  }
}

function linesOf(
  settings: unknown,
  labels: Readonly<Record<string, string>>,
  formats: Formats,
): readonly RuleLine[] {
  return Object.entries((settings ?? {}) as Settings)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]) => ({ label: labels[name] ?? name, values: valuesOf(name, value, formats) }))
}

function valuesOf(name: string, value: unknown, formats: Formats): readonly string[] {
  if (value === true) return []
  if (typeof value === 'number')
    return [name.endsWith('SizeOver') ? formats.bytes(value) : formats.number(value)]
  if (Array.isArray(value)) return value.map(oneValue)
  return [oneValue(value)]
}

/** Of an object, what it is about: the reply's text, the field's name and value. */
function oneValue(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  const parts = Object.values(value).filter((part) => part !== null && typeof part !== 'boolean')
  return parts
    .map((part) => (Array.isArray(part) ? part.map(oneValue).join(', ') : oneValue(part)))
    .join(' · ')
}
